"""The data sets, one record each, and the format of their images. Standard library only.

    DATASETS["mnist"].classes           # ("0", …, "9")
    DATASETS["mnist"].input.shape       # (1, 28, 28)

One record adds a data set of files in MNIST's layouts: who loads it (`datasets`), recognises its files
(`mnist_layouts`), fetches it (`download`), attaches it to a kernel or mounts it in the emulator asks here, and so does
who builds, trains or runs a network for it.
"""

from dataclasses import dataclass

from shared.core.input_spec import InputSpec

AUTO = "auto"  # mnist, or digits if mnist is not available


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """A data set: its task ("digits" or "classification"), its classes in the order of their labels, its images.

    `kaggle_ref` is `owner/slug` of the data set on Kaggle, `kaggle_files` under which names its files are there, with
    {part}, {idx} and {npz} for the parts of such a name. `made_of` names the data set that this one is made from.
    `folders`: what a folder that holds it may be called beside its name and its slug, in lower case, letters and digits
    alone. `mirrors` have the four gzipped IDX files, whose MD5s are `md5`, training images and labels first.
    `counts` says how many training images each class has and `begins` what the first labels are: by them the files are
    known, where those of several data sets bear the same names. `embedded`: it comes with scikit-learn, without files.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    input: InputSpec
    kaggle_ref: str = ""
    kaggle_files: tuple[str, ...] = ("{part}-{idx}",)
    made_of: str = ""
    embedded: bool = False
    folders: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    md5: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    begins: tuple[int, ...] = ()

    @property
    def source(self) -> str:
        """The name of the data set whose files are needed: its own, or that of the one it is made of."""
        return self.made_of or self.name


GLYPH = InputSpec(height=28, width=28, channels=1, color="grey", resize="glyph", mean=(0.0,), std=(1.0,))
DIGITS = tuple("0123456789")
FASHION = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot")
KANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")

DATASETS = {
    one.name: one
    for one in (
        DatasetInfo(
            name="mnist", task="digits", classes=DIGITS, input=GLYPH,
            kaggle_ref="hojjatk/mnist-dataset",
            kaggle_files=("{part}.{idx}", "{part}-{idx}/{part}-{idx}"),
            folders=("mnistincsv",),
            mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
            md5=(
                "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
                "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c",
            ),
            counts=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        ),
        DatasetInfo(
            name="fashion-mnist", task="classification", classes=FASHION, input=GLYPH,
            kaggle_ref="zalando-research/fashionmnist",
            mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
            md5=(
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
                "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310",
            ),
            counts=(6000,) * len(FASHION),
            begins=(9, 0, 0, 3, 0, 2, 7, 2, 5, 5),
        ),
        DatasetInfo(
            name="kmnist", task="classification", classes=KANA, input=GLYPH,
            kaggle_ref="anokas/kuzushiji",
            kaggle_files=("kmnist-{npz}.npz",),
            folders=("kuzushijimnist",),
            mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
            md5=(
                "bdb82020997e1d708af4cf47b453dcf7", "e144d726b3acfaa3e44228e80efcd344",
                "5c965bf0a639b31b8f53240b1b52f4d7", "7320c461ea6c1c855c0b718fb2a4b134",
            ),
            counts=(6000,) * len(KANA),
        ),
        DatasetInfo(name="digits", task="digits", classes=DIGITS, input=GLYPH, embedded=True),
        DatasetInfo(name="camera", task="digits", classes=(*DIGITS, "no digit"), input=GLYPH, made_of="mnist"),
    )
}  # fmt: skip


def reads_digits(name: str) -> bool:
    """Whether a network learns to read digits from that data set."""
    return name in DATASETS and DATASETS[name].task == "digits"
