"""A stand-in for Kaggle's kernels service on this machine, for users without an account and for the tests.

It implements the service's HTTP protocol well enough for the unmodified `kaggle` command and kagglehub, listens
on loopback alone, asks for a key, keeps kernels, versions, logs and outputs on disk, and really executes each
push with papermill in a fresh process from which this repository cannot be imported.

    daemon          finds or starts the emulator of a state folder (`--remote emulator`), and stops it
    serving         a port, a state folder, the life of the server
    middleware      the outermost layer: faults on request (`faults`), and targets in absolute form
    application     the HTTP application: keys, methods, the log stream, storage; `parsing` checks requests
    service         what the methods share: finding, refusing, paging, signed URLs
    kernel_methods, push_method, model_methods, model_queries    what each method answers, in the SDK's own types
    storage/        kernels, versions, models, uploads and the quota, on disk
    sessions/       one process a run, its inputs, its folders

What it does differently: on Kaggle papermill writes `/kaggle/working/__notebook__.ipynb` while it runs; here the
notebook is beside the working folder, which is therefore empty at the start; it is still among the outputs. A session's
inputs are removed after its end.

What it does not do: other services than kernels, other languages than Python, scripts (only notebooks), a GPU if this
machine has none, blocking the internet if `enable_internet` is false.
"""
