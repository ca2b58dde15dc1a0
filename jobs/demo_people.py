"""The people of the demo data: first and last names by language, written as they are written there."""

import re
import unicodedata
from typing import NamedTuple

# Where Latin letters cannot be derived, the spelling for an e-mail address follows a colon.
FIRST = {
    "en": "Olivia Jack Amelia Harry Grace Oscar Emily Liam Sophie Noah Ruth Siobhán Seán Zoë Chloë Miles",
    "de": "Jürgen Käthe Björn Sören Anke Götz Lena Felix Mia Jörg Ute Moritz Hannelore Paul Ulrike Günther",
    "fr": "Chloé François Hélène Léa Jérôme Zoé André Inès Noël Mélanie Benoît Amélie Théo Camille Gaëlle Luc",
    "es": "José María Lucía Álvaro Sofía Íñigo Raúl Inés Andrés Begoña Martín Carmen Ángel Noelia Óscar Pilar",
    "pt": "João Conceição António Luísa Sérgio Inês Fábio Márcia Simão Letícia Tomás Júlia Rui Beatriz Cauê Lívia",
    "pl": "Łukasz Małgorzata Paweł Zofia Michał Agnieszka Stanisław Bożena Wojciech Jadwiga Rafał Kinga Jerzy Ewa",
    "cs": "Jiří Zdeňka Ondřej Růžena Tomáš Věra Lukáš Markéta Řehoř Alžběta Vojtěch Šárka Petr Jana",
    "sv": "Åsa Björn Märta Örjan Göran Ingrid Søren Mette Lærke Håkan Linnéa Jørgen Astrid Bodil Nils Maja",
    "el": "Γιώργος:Giorgos Ελένη:Eleni Νίκος:Nikos Κατερίνα:Katerina Δημήτρης:Dimitris Σοφία:Sofia",
    "tr": "Şebnem Çağlar İpek Ömer Gülşen Oğuz Ayşe Işıl Mehmet Zeynep Ümit Elif Yiğit Ceyda",
    "uk": "Олена:Olena Андрій:Andrii Юлія:Yuliia Тарас:Taras Наталія:Nataliia Євген:Yevhen Ірина:Iryna",
    "he": "נועה:Noa יוסי:Yossi תמר:Tamar אבי:Avi מיכל:Michal דוד:David",
    "ar": "فاطمة:Fatima محمد:Mohammed ليلى:Layla خالد:Khalid مريم:Maryam يوسف:Yousef",
    "hi": "प्रिया:Priya अर्जुन:Arjun अनीता:Anita रोहन:Rohan दीपिका:Deepika विक्रम:Vikram",
    "ja": "陽子:Yoko 健太:Kenta 美咲:Misaki 大輔:Daisuke さくら:Sakura 翔:Sho 直美:Naomi",
    "ko": "민준:Minjun 서연:Seoyeon 지훈:Jihoon 하은:Haeun 도윤:Doyun 수진:Sujin",
    "zh": "伟:Wei 芳:Fang 秀英:Xiuying 强:Qiang 静:Jing 磊:Lei 敏:Min",
    "vi": "Nguyệt Đức Hằng Tuấn Thảo Dũng Ngọc Phúc Ánh Khôi Mỹ Sơn",
}
LAST = {
    "en": "Smith O'Brien Taylor Brontë Walker Clarke Hughes Patel Robinson McDonald Wright Evans Ní-Dhuibhir Baker",
    "de": "Müller Weiß Schröder Köhler Strauß Jäger Böhm Krüger Hübner Fuchs Schäfer Löwe Groß Bauer Voß Peters",
    "fr": "Lefèvre Dubois Gauthier Désormeaux Garçon Bérubé Côté Hébert L'Hôpital Moreau Rousseau Pécresse Noël Roux",
    "es": "García Muñoz Núñez Peña Ibáñez Jiménez Ordóñez Gómez Rodríguez Castaño Martínez López Quiñones Vázquez",
    "pt": "Araújo Gonçalves Magalhães Brandão Leitão Simões Guimarães Conceição Falcão Sampaio Teixeira Antunes",
    "pl": "Wójcik Kowalczyk Dąbrowski Szczęsny Żuraw Łapiński Górski Kaczyńska Śliwa Nowak Zieliński Ćwik",
    "cs": "Dvořák Novák Růžička Černý Kučera Šťastný Říha Čapek Žižka Svobodová Němcová Hrubý",
    "sv": "Sjöberg Åkesson Öberg Ångström Nyström Kjær Sørensen Møller Lindqvist Hägg Bjørn Dahl",
    "el": "Παπαδόπουλος:Papadopoulos Νικολάου:Nikolaou Γεωργίου:Georgiou Κωνσταντίνου:Konstantinou",
    "tr": "Yılmaz Çelik Şahin Öztürk Güneş Doğan Kılıç Aydın Işık Koç Özdemir Çakır",
    "uk": "Шевченко:Shevchenko Коваль:Koval Мельник:Melnyk Бойко:Boiko Їжакевич:Yizhakevych Гончар:Honchar",
    "he": "כהן:Cohen לוי:Levi מזרחי:Mizrahi פרידמן:Friedman",
    "ar": "العلي:Al-Ali حداد:Haddad المنصوري:Al-Mansoori ناصر:Nasser الخطيب:Al-Khatib",
    "hi": "शर्मा:Sharma पटेल:Patel राव:Rao गुप्ता:Gupta सिंह:Singh अय्यर:Iyer",
    "ja": "佐藤:Sato 鈴木:Suzuki 高橋:Takahashi 渡辺:Watanabe 山本:Yamamoto 小林:Kobayashi",
    "ko": "김:Kim 이:Lee 박:Park 최:Choi 정:Jung",
    "zh": "王:Wang 李:Li 张:Zhang 陈:Chen 赵:Zhao 欧阳:Ouyang",
    "vi": "Nguyễn Trần Phạm Hoàng Vũ Đặng Bùi Đỗ Lê",
}
# Letters that have no decomposition.
LATIN = str.maketrans({"ł": "l", "ø": "o", "æ": "ae", "ß": "ss", "ı": "i", "đ": "d", "ö": "oe", "ü": "ue", "ä": "ae"})


class Name(NamedTuple):
    """A name as it is written, and as it stands in an e-mail address."""

    text: str
    ascii: str


def slug(text: str) -> str:
    """``text`` in small ASCII letters and digits, as in a domain or an address."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("'", "").translate(LATIN))
    return re.sub(r"[^a-z0-9]+", "-", "".join(each for each in plain if each.isascii() or each.isspace())).strip("-")


def _names(words: str) -> tuple[Name, ...]:
    return tuple(Name(text, slug(latin or text)) for text, _, latin in (word.partition(":") for word in words.split()))


FIRST_NAMES = {language: _names(words) for language, words in FIRST.items()}
LAST_NAMES = {language: _names(words) for language, words in LAST.items()}
# The sales people themselves, in this order, whatever the seed: their ids stay the same for ever.
USERS = tuple(Name(text, slug(latin or text)) for text, _, latin in (each.partition(":") for each in (
    "Maya Lindqvist", "Tomás Herrera", "Amélie Fontaine", "渡辺 健二:Kenji Watanabe", "Grace O'Neill",
    "Łukasz Zieliński", "Priya Raman", "Jürgen Weiß", "Nadia Haddad", "Björn Åkesson", "Zoë Clarke", "Diego Muñoz",
    "Hana Dvořáková", "Samuel Okafor", "Ελένη Παππά:Eleni Pappa", "Ayşe Yılmaz", "Đặng Minh", "Ruth Cohen",
    "Олександр Бойко:Oleksandr Boiko", "Fatima Al-Ali",
)))  # fmt: skip
