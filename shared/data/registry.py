"""The data sets, one record each, and the format of their images. Standard library only.

    DATASETS["mnist"].classes           # ("0", …, "9")
    DATASETS["mnist"].input.shape       # (1, 28, 28)

One record adds a data set of files in MNIST's layouts: the code that loads it (`datasets`), downloads it (`download`),
checks its labels or attaches it to a kernel reads it here.
"""

from dataclasses import dataclass

from shared.core.input_spec import InputSpec

AUTO = "auto"  # mnist, or digits if mnist is not available


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """A data set: its task ("digits" or "classification"), its classes in the order of their labels, its images.

    `kaggle_ref` is `owner/slug` of the data set on Kaggle. `made_of` names the data set that this one is made from.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    input: InputSpec
    kaggle_ref: str = ""
    made_of: str = ""

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
        DatasetInfo(name="mnist", task="digits", classes=DIGITS, input=GLYPH, kaggle_ref="hojjatk/mnist-dataset"),
        DatasetInfo(
            name="fashion-mnist", task="classification", classes=FASHION, input=GLYPH,
            kaggle_ref="zalando-research/fashionmnist",
        ),
        DatasetInfo(
            name="kmnist", task="classification", classes=KANA, input=GLYPH, kaggle_ref="anokas/kuzushiji"
        ),
        DatasetInfo(name="digits", task="digits", classes=DIGITS, input=GLYPH),
        DatasetInfo(name="camera", task="digits", classes=(*DIGITS, "no digit"), input=GLYPH, made_of="mnist"),
    )
}  # fmt: skip
