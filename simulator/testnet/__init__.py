"""A whole BillCoin network on one machine: made, started, watched over and shown.

`layout` and `accounts` say what lies where and who is who; `create` makes a network once and
`configure` writes its ports before every start; `plan` lists the processes; `supervision` decides
(pure), `supervisor` acts; `observation` reads figures over the public interfaces; `board` shows
them. Nothing here is part of the product's trust: every process runs as it would alone.
"""
