"""A stand-in for Kaggle's kernels service on this machine, for whoever has no account and for the tests.

It speaks the service's HTTP protocol well enough for the unmodified `kaggle` command and kagglehub, listens
on loopback alone, asks for a key, keeps kernels, versions, logs and outputs on disk, and really executes each
push with papermill in a fresh process from which this repository cannot be imported.

    daemon          finds or starts the emulator of a state folder (`--remote emulator`), and stops it
    serving         a port, a state folder, the server's life
    middleware      the outermost layer: misbehaviour on request (`faults`), and targets in absolute form
    application     the HTTP application: keys, methods, the log stream, storage; `parsing` checks what comes in
    service         what the methods share: finding, refusing, paging, signed URLs
    kernel_methods, push_method, model_methods, model_queries    what each method answers, in the SDK's own types
    storage/        kernels, versions, models, uploads and the quota, on disk
    sessions/       one process a run, its inputs, its folders

What it does differently: on Kaggle papermill writes `/kaggle/working/__notebook__.ipynb` while it runs; here the
notebook is kept beside the working folder, which therefore is empty at the start, and is among the outputs all the
same. A session's inputs are gone once it has ended.

What it does not do: other services than kernels, other languages than Python, scripts (notebooks alone), a GPU
where this machine has none, cutting off the internet where `enable_internet` is false.
"""
