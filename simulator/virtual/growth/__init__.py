"""What a block costs as the committee grows, and how late finality is under faults.

`meter` counts messages, bytes and CPU, `stopwatch` times finality, `measuring` runs the sizes,
`tables` prints them.
"""
