"""A home: the folder that a process keeps, and the furniture that every home has.

`config.toml`, key files of their owner alone, a lock that its one owner holds, and files that are
replaced whole. Nodes, gateways, dairies, shoppers, the payments service and testnets all have one,
so it stands in `node`, the lowest floor that touches a disk, and knows nothing of what they do.
Everything a home says is UTF-8, whatever the locale; nothing in it names the place where it lies,
so that a home may be carried elsewhere, and its folder may have any name.
"""
