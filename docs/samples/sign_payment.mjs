// Sign a payment of an order, from nothing: what a wallet of another house does.
//
//     node sign_payment.mjs SERVICE ORDER_ID SEED_HEX
//
// The encoding is docs/spec/encoding.md; WebCrypto signs (Ed25519), in a browser as in Node 20.
// Only the hash needs more than WebCrypto has: BLAKE2b, written out below. Numbers that may pass
// 2^53 are BigInts.

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const ascii = (text) => new TextEncoder().encode(text);
const units = (bill) => BigInt(bill.replace(".", ""));

function join(...parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function bigEndian(value, size) {
  return Uint8Array.from({ length: size }, (_, place) =>
    Number((value >> BigInt(8 * (size - 1 - place))) & 0xffn),
  );
}

// Canonical MessagePack: the shortest form of each value.
export function pack(value) {
  if (typeof value === "number" || typeof value === "bigint") {
    const whole = BigInt(value);
    if (whole < 0x80n) return Uint8Array.of(Number(whole));
    for (const [head, size] of [[0xcc, 1], [0xcd, 2], [0xce, 4], [0xcf, 8]]) {
      if (whole < 1n << BigInt(8 * size)) return join([head], bigEndian(whole, size));
    }
  }
  if (value instanceof Uint8Array) {
    const size = value.length;
    return join(size < 256 ? [0xc4, size] : [0xc5, size >> 8, size & 0xff], value);
  }
  if (typeof value === "string") return join([0xa0 + value.length], ascii(value));
  if (Array.isArray(value)) return join([0x90 + value.length], ...value.map(pack));
  throw new TypeError(typeof value);
}

// BLAKE2b of 32 bytes, unkeyed (RFC 7693).
const MASK = (1n << 64n) - 1n;
const IV = [
  0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n,
];
const SIGMA = [
  "0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8",
  "905724afe1bc683d", "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a",
  "6fe9b308c2d714a5", "a2847615fb9e3cd0", "0123456789abcdef", "ea489fd61c02b753",
];
const LANES = ["048c", "159d", "26ae", "37bf", "05af", "16bc", "278d", "349e"];

const digits = (text) => Array.from(text, (digit) => parseInt(digit, 16));
const turn = (word, by) => ((word >> BigInt(by)) | (word << BigInt(64 - by))) & MASK;

function mix(v, lane, x, y) {
  const [a, b, c, d] = lane;
  v[a] = (v[a] + v[b] + x) & MASK;
  v[d] = turn(v[d] ^ v[a], 32);
  v[c] = (v[c] + v[d]) & MASK;
  v[b] = turn(v[b] ^ v[c], 24);
  v[a] = (v[a] + v[b] + y) & MASK;
  v[d] = turn(v[d] ^ v[a], 16);
  v[c] = (v[c] + v[d]) & MASK;
  v[b] = turn(v[b] ^ v[c], 63);
}

export function blake2b(bytes) {
  const state = [...IV];
  state[0] ^= 0x01010020n;
  const blocks = Math.max(1, Math.ceil(bytes.length / 128));
  for (let block = 0; block < blocks; block++) {
    const padded = new DataView(join(bytes.slice(128 * block), new Uint8Array(128)).buffer);
    const last = block === blocks - 1;
    if (last) for (let at = bytes.length - 128 * block; at < 128; at++) padded.setUint8(at, 0);
    const words = Array.from({ length: 16 }, (_, word) => padded.getBigUint64(8 * word, true));
    const v = [...state, ...IV];
    v[12] ^= BigInt(last ? bytes.length : 128 * (block + 1));
    if (last) v[14] ^= MASK;
    for (const row of SIGMA.map(digits)) {
      LANES.forEach((lane, place) => {
        mix(v, digits(lane), words[row[2 * place]], words[row[2 * place + 1]]);
      });
    }
    for (let word = 0; word < 8; word++) state[word] ^= v[word] ^ v[word + 8];
  }
  return join(...state.slice(0, 4).map((word) => bigEndian(word, 8).reverse()));
}

const digest = (domain, ...parts) => blake2b(join(ascii(domain), ...parts));

// Addresses: bech32m (BIP 350).
const ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

function regroup(values, from, to) {
  const bits = Array.from(values, (value) => value.toString(2).padStart(from, "0")).join("");
  const whole = to === 5 ? bits.padEnd(Math.ceil(bits.length / 5) * 5, "0") : bits;
  return (whole.match(new RegExp(`.{${to}}`, "g")) ?? []).map((part) => parseInt(part, 2));
}

function checksum(values) {
  const parts = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
  return values.reduce((sum, value) => {
    const top = sum >>> 25;
    return parts.reduce(
      (found, part, place) => ((top >>> place) & 1 ? found ^ part : found),
      ((sum & 0x1ffffff) << 5) ^ value,
    );
  }, 1);
}

export function bech32m(prefix, raw) {
  const codes = ascii(prefix);
  const spread = [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
  const data = regroup(raw, 8, 5);
  const sum = checksum([...spread, ...data, 0, 0, 0, 0, 0, 0]) ^ 0x2bc830a3;
  const tail = Array.from({ length: 6 }, (_, place) => (sum >>> (5 * (5 - place))) & 31);
  return `${prefix}1${[...data, ...tail].map((digit) => ALPHABET[digit]).join("")}`;
}

function addressBytes(text) {
  const data = text.slice(text.lastIndexOf("1") + 1, -6);
  return Uint8Array.from(regroup(Array.from(data, (char) => ALPHABET.indexOf(char)), 5, 8));
}

// A wallet keeps its key where scripts can't read it; a seed in the clear is for this sample.
export async function keysOf(seedHex) {
  const seed = unhex(seedHex);
  const pkcs8 = join(unhex("302e020100300506032b657004220420"), seed);
  const secret = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
  const { x } = await crypto.subtle.exportKey("jwk", secret);
  const text = atob(x.replaceAll("-", "+").replaceAll("_", "/"));
  return { secret, open: Uint8Array.from(text, (char) => char.charCodeAt(0)) };
}

export async function sign(offer, nonce, { secret, open }) {
  const redeem = offer.redeem.map(({ lot, bill }) => [unhex(lot), units(bill)]);
  const intent = pack([
    unhex(offer.chainId),
    [1, [open]],
    nonce,
    units(offer.fee),
    offer.validUntilHeight,
    [
      "transfer",
      addressBytes(offer.address),
      units(offer.amount.bill),
      unhex(offer.reference),
      redeem,
    ],
  ]);
  const signed = join(ascii("BILLCOIN/tx/1"), intent);
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", secret, signed));
  return {
    txHash: hex(digest("BILLCOIN/tx/1", intent)),
    transaction: hex(join([0x92], intent, pack([[0, signature]]))),
  };
}

async function ask(url, body) {
  const answer = await fetch(url, {
    method: body === undefined ? "GET" : "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.json();
}

export async function pay(service, orderId, seed) {
  const keys = await keysOf(seed);
  const offer = await ask(`${service}/p/${orderId}`);
  const owner = digest("BILLCOIN/address/1", [1, 1], keys.open);
  const { nonce } = await ask(`${service}/api/v1/accounts/${bech32m(offer.prefix, owner)}`);
  const { txHash, transaction } = await sign(offer, nonce, keys);
  await ask(`${service}/api/v1/orders/${orderId}/payment`, { transaction });
  return txHash;
}

if (globalThis.process?.argv[1]?.endsWith("sign_payment.mjs")) {
  console.log(await pay(...process.argv.slice(2, 5)));
}
