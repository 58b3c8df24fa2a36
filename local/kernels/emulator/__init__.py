"""A stand-in for Kaggle's kernels service on this machine, for whoever has no account and for the tests.

It speaks the service's HTTP protocol well enough for the unmodified `kaggle` command and kagglehub, listens
on loopback alone, asks for a key, keeps kernels, versions, logs and outputs on disk, and really executes each
push with papermill in a fresh process from which this repository cannot be imported.

    daemon     finds or starts the emulator of a state folder (`--remote emulator`), and stops it
    running    a port, a state folder, the server's life
    faults     the outermost layer: misbehaviour on request, and targets in absolute form
    server     the HTTP application: keys, methods, the log stream, storage
    methods    what each method answers, from the SDK's own request types to its own response types
    pushing    the one method that starts something, and what it refuses
    service    what the methods share: finding, refusing, paging, signed URLs
    store      kernels and versions on disk (kernel: one of them), quota: GPU hours of the week
    folders    what a notebook left: listed and removed, whatever it is
    mounts     data sets under `../input`, laid out as on Kaggle
    processes  starts, watches and ends session processes
    session    one run: a file that runs alone in its own process
    wall       keeps this repository from being importable there

What it does differently: on Kaggle papermill writes `/kaggle/working/__notebook__.ipynb` while it runs; here the
notebook is kept beside the working folder, which therefore is empty at the start, and is among the outputs all the
same. A session's inputs are gone once it has ended.

What it does not do: other services than kernels, other languages than Python, scripts (notebooks alone), a GPU
where this machine has none, cutting off the internet where `enable_internet` is false.
"""
