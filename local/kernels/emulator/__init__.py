"""A stand-in for Kaggle's kernels service on this machine, for whoever has no account and for the tests.

It speaks the service's HTTP protocol well enough for the unmodified `kaggle` command and kagglehub, listens
on loopback alone, asks for a key, keeps kernels, versions, logs and outputs on disk, and really executes each
push with papermill in a fresh process from which this repository cannot be imported.

    daemon     finds or starts the emulator of a state folder (`--remote emulator`), and stops it
    running    a port, a state folder, the server's life
    server     the HTTP application: keys, methods, the log stream, storage
    front      targets in absolute form, and faults on the wire
    faults     misbehaviour on request
    methods    what each method answers, from the SDK's own request types to its own response types
    pushing    the one method that starts something
    rules      what the service refuses, and how it words it
    service    what the methods share; signing: signed URLs for outputs
    store      kernels and versions on disk (kernel: one of them), quota: GPU hours of the week
    mounts     data sets under `../input`, laid out as on Kaggle
    processes  starts, watches and ends session processes
    session    one run: a file that runs alone in its own process
    wall       keeps this repository from being importable there

What it does not do: other services than kernels, other languages than Python, a GPU where this machine has
none, cutting off the internet where `enable_internet` is false.
"""
