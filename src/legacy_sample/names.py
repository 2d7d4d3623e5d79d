"""First and last names of the people in the sample, as written and as an e-mail address spells them."""

from typing import Final

FIRST: Final = (
    ("Anna", "anna"), ("Jürgen", "juergen"), ("Søren", "soren"), ("Zoë", "zoe"), ("José", "jose"), ("Mia", "mia"),
    ("Lukas", "lukas"), ("Björn", "bjoern"), ("Françoise", "francoise"), ("Łukasz", "lukasz"), ("Olga", "olga"),
    ("Иван", "ivan"), ("Ольга", "olha"), ("李", "li"), ("美咲", "misaki"), ("太郎", "taro"), ("محمد", "mohammed"),
    ("فاطمة", "fatima"), ("אורי", "uri"), ("Αθηνά", "athina"), ("Nguyễn", "nguyen"), ("지우", "jiwoo"), ("प्रिया", "priya"),
    ("Şebnem", "sebnem"), ("Çağrı", "cagri"), ("Ingrid", "ingrid"), ("Oisín", "oisin"), ("Renée", "renee"), ("Tom", "tom"),  # noqa: RUF001 a Turkish name
    ("Sophie", "sophie"), ("Ben", "ben"), ("Käthe", "kaethe"),
)  # fmt: skip
LAST: Final = (
    ("Müller", "mueller"), ("Schmidt", "schmidt"), ("Weiß", "weiss"), ("O'Brien", "obrien"), ("García", "garcia"),
    ("Nowak", "nowak"), ("Dvořák", "dvorak"), ("Иванова", "ivanova"), ("Шевченко", "shevchenko"), ("王", "wang"),
    ("田中", "tanaka"), ("김", "kim"), ("الحسن", "alhassan"), ("כהן", "cohen"), ("Παπαδόπουλος", "papadopoulos"),
    ("Trần", "tran"), ("शर्मा", "sharma"), ("Yılmaz", "yilmaz"), ("van der Berg", "vanderberg"), ("de la Cruz", "delacruz"),  # noqa: RUF001 a Turkish name
    ("Öztürk", "oeztuerk"), ("Ångström", "angstroem"), ("Smith", "smith"), ("Jones-Öhlund", "jones-oehlund"), ("Rossi", "rossi"),
    ("Dubois", "dubois"), ("Kowalczyk", "kowalczyk"), ("Jensen", "jensen"), ("Saß", "sass"), ("Fischer", "fischer"),
    ("Yamamoto", "yamamoto"), ("Silva", "silva"),
)  # fmt: skip
DOMAINS: Final = (
    "example.com", "example.org", "example.net", "mail.example.com", "post.example.org", "team.example.net",
    "firma.test", "office.invalid",
)  # fmt: skip
