// Verify a webhook with WebCrypto alone: `v1` with a secret `whsec_...`, `v1a` with a public key
// `whpk_...`. Give it the body's bytes as they came, before anything parses them.
//
//     const event = await verify(bytes, request.headers, "whsec_...");

const TOLERANCE_S = 300;
const unbase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

export async function verify(body, headers, key) {
  const told = new Headers(headers);
  const [id, stamp] = [told.get("webhook-id"), told.get("webhook-timestamp")];
  if (!(Math.abs(Date.now() / 1000 - Number(stamp)) <= TOLERANCE_S)) {
    throw new Error("signed too long ago");
  }
  const head = new TextEncoder().encode(`${id}.${stamp}.`);
  const message = new Uint8Array([...head, ...body]);
  const open = key.startsWith("whpk_");
  const raw = unbase64(key.replace(/^wh(sec|pk)_/, ""));
  const algorithm = open ? "Ed25519" : { name: "HMAC", hash: "SHA-256" };
  const verifier = await crypto.subtle.importKey("raw", raw, algorithm, false, ["verify"]);
  for (const signature of (told.get("webhook-signature") ?? "").split(" ")) {
    const [version, text] = signature.split(",");
    if (version !== (open ? "v1a" : "v1")) continue;
    if (await crypto.subtle.verify(algorithm, verifier, unbase64(text), message)) {
      return JSON.parse(new TextDecoder().decode(body));
    }
  }
  throw new Error("no signature holds");
}
