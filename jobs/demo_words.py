"""The vocabulary of the demo data: companies, places, products, and what sales people write down.

Domains end in ``.example``, which is reserved (RFC 2606): no demo address can reach anyone.
"""

from typing import NamedTuple


class Place(NamedTuple):
    """A town, the language of most names there, its telephone prefix, and what companies there end in."""

    name: str
    language: str
    prefix: str
    forms: tuple[str, ...]


class Size(NamedTuple):
    """A class of companies: employees, yearly revenue in the middle of the class, what a deal there is worth to us."""

    employees: str
    revenue: int
    deal_size: float


PLACES = (
    Place("London, United Kingdom", "en", "+44 20", ("Ltd", "plc", "LLP")),
    Place("Manchester, United Kingdom", "en", "+44 161", ("Ltd", "plc")),
    Place("Dublin, Ireland", "en", "+353 1", ("Ltd", "DAC")),
    Place("Austin, United States", "en", "+1 512", ("Inc.", "LLC", "Corp.")),
    Place("Boston, United States", "en", "+1 617", ("Inc.", "LLC")),
    Place("Denver, United States", "es", "+1 303", ("Inc.", "LLC", "Co.")),
    Place("Seattle, United States", "en", "+1 206", ("Inc.", "Corp.")),
    Place("San José, United States", "zh", "+1 408", ("Inc.", "Labs")),
    Place("Toronto, Canada", "en", "+1 416", ("Inc.", "Ltd")),
    Place("Montréal, Canada", "fr", "+1 514", ("inc.", "ltée")),
    Place("Melbourne, Australia", "en", "+61 3", ("Pty Ltd", "Group")),
    Place("Berlin, Germany", "de", "+49 30", ("GmbH", "AG", "SE")),
    Place("München, Germany", "de", "+49 89", ("GmbH", "AG", "GmbH & Co. KG")),
    Place("Köln, Germany", "tr", "+49 221", ("GmbH", "UG")),
    Place("Zürich, Switzerland", "de", "+41 44", ("AG", "SA")),
    Place("Wien, Austria", "de", "+43 1", ("GmbH", "AG")),
    Place("Paris, France", "fr", "+33 1", ("SA", "SAS", "SARL")),
    Place("Lyon, France", "fr", "+33 4", ("SAS", "SARL")),
    Place("Madrid, Spain", "es", "+34 91", ("S.A.", "S.L.")),
    Place("México D.F., Mexico", "es", "+52 55", ("S.A. de C.V.",)),
    Place("São Paulo, Brazil", "pt", "+55 11", ("Ltda.", "S.A.")),
    Place("Lisboa, Portugal", "pt", "+351 21", ("Lda.", "S.A.")),
    Place("Warszawa, Poland", "pl", "+48 22", ("Sp. z o.o.", "S.A.")),
    Place("Praha, Czechia", "cs", "+420 2", ("s.r.o.", "a.s.")),
    Place("Göteborg, Sweden", "sv", "+46 31", ("AB",)),
    Place("København, Denmark", "sv", "+45 33", ("ApS", "A/S")),
    Place("Αθήνα, Greece", "el", "+30 21", ("A.E.",)),
    Place("İstanbul, Türkiye", "tr", "+90 212", ("A.Ş.", "Ltd. Şti.")),
    Place("Київ, Ukraine", "uk", "+380 44", ("LLC", "PrJSC")),
    Place("תל אביב, Israel", "he", "+972 3", ("Ltd",)),
    Place("دبي, United Arab Emirates", "ar", "+971 4", ("LLC", "FZ-LLC")),
    Place("मुंबई, India", "hi", "+91 22", ("Pvt. Ltd", "Ltd")),
    Place("東京, Japan", "ja", "+81 3", ("K.K.", "株式会社")),
    Place("서울, South Korea", "ko", "+82 2", ("Co., Ltd",)),
    Place("上海, China", "zh", "+86 21", ("Co., Ltd",)),
    Place("Hà Nội, Vietnam", "vi", "+84 24", ("JSC", "Co., Ltd")),
)

# Fifty beginnings, forty endings and twenty trades make 40,000 companies with a name of their own.
BEGINNINGS = (
    "Alder", "Amber", "Arc", "Aster", "Birch", "Black", "Blue", "Bright", "Cedar", "Clear", "Cobalt", "Copper", "Crest",
    "Delta", "Ever", "Fair", "Fern", "Flint", "Frost", "Glen", "Gold", "Granite", "Green", "Harbour", "Haven", "Hazel",
    "High", "Iron", "Juniper", "Kestrel", "Lake", "Linden", "Lumen", "Maple", "Mill", "North", "Oak", "Opal", "Pine",
    "Quartz", "Raven", "Red", "River", "Silver", "Stone", "Summit", "Sun", "Swift", "Vale", "Winter",
)  # fmt: skip
ENDINGS = (
    "bank", "beam", "berg", "bridge", "brook", "cliff", "craft", "dale", "field", "fjord", "flow", "ford", "forge",
    "gate", "grove", "hall", "hill", "holm", "land", "lane", "line", "loop", "mark", "mere", "mont", "peak", "point",
    "port", "ridge", "rise", "shore", "side", "spring", "stead", "stream", "thorpe", "vale", "ware", "wick", "wood",
)  # fmt: skip
# What a company does, as its name says it and as its industry.
TRADES = (
    ("Logistics", "Transport and logistics"), ("Freight", "Transport and logistics"), ("Foods", "Food and drink"),
    ("Brewing", "Food and drink"), ("Health", "Health care"), ("Pharma", "Pharmaceuticals"), ("Systems", "Software"),
    ("Software", "Software"), ("Analytics", "Software"), ("Robotics", "Machinery"), ("Tooling", "Machinery"),
    ("Energy", "Energy"), ("Solar", "Energy"), ("Capital", "Financial services"), ("Insurance", "Insurance"),
    ("Retail", "Retail"), ("Textiles", "Textiles"), ("Media", "Media"), ("Learning", "Education"),
    ("Construction", "Construction"),
)  # fmt: skip
SIZES = (
    Size("1-10", 600_000, 0.4),
    Size("11-50", 3_500_000, 0.7),
    Size("51-200", 18_000_000, 1.0),
    Size("201-500", 70_000_000, 1.6),
    Size("501-1000", 190_000_000, 2.2),
    Size("1001-5000", 800_000_000, 3.5),
    Size("5001+", 6_000_000_000, 6.0),
)
SIZE_WEIGHTS = (18, 30, 26, 12, 8, 5, 1)
TITLES = (
    "Chief Executive Officer", "Chief Financial Officer", "Chief Information Officer", "Managing Director",
    "Head of Procurement", "Head of Operations", "Head of Sales", "VP Engineering", "IT Manager", "Purchasing Manager",
    "Operations Manager", "Project Manager", "Office Manager", "Data Analyst", "Systems Administrator", "Controller",
)  # fmt: skip
ROLES = ("Decision maker", "Budget holder", "Champion", "Influencer", "Evaluator", "End user", "Gatekeeper")
PRODUCTS = (
    "Annual licence", "Pilot", "Platform roll-out", "Renewal", "Upgrade to Enterprise", "Additional seats",
    "Data migration", "Integration project", "Support contract", "Training package", "Analytics add-on",
    "Warehouse module", "Framework agreement", "Security review", "Mobile app", "Second site",
)  # fmt: skip
TOPICS = (
    "pricing", "the proposal", "contract terms", "the pilot", "data protection", "roll-out dates", "integration",
    "the renewal", "budget for next year", "technical questions", "references", "training", "support levels",
    "the business case", "procurement steps", "next steps",
)  # fmt: skip
# Subjects by type; {topic}, {person} and {company} are filled in.
SUBJECTS = {
    "CALL": ("Call with {person} about {topic}", "Follow-up call: {topic}", "{person} called about {topic}"),
    "EMAIL": ("Re: {topic}", "Email to {person}: {topic}", "Sent {company} our answer on {topic}"),
    "MEETING": ("Meeting at {company}: {topic}", "Video meeting with {person}", "Demo for {company}"),
    "NOTE": ("Note on {topic}", "What {person} said about {topic}", "Competitor mentioned: {topic}"),
    "TASK": ("Send {person} the papers on {topic}", "Call {person} back", "Prepare {topic} for {company}"),
}
REMARKS = (
    "They compare us with two other suppliers and decide by the end of the quarter.",
    "Budget is approved; legal still has to look at the contract.",
    "Wants a reference from the same industry before going further.",
    "The new project lead is in favour, the controller asks for a lower price.",
    "They need single sign-on and an export to their warehouse.",
    "No answer yet, try again next week.",
    "Very interested in the analytics add-on, asked for a demo for the whole team.",
    "Current contract runs until autumn, so there is time for a pilot.",
    "Asked for delivery in two steps and payment by quarter.",
    "Security questionnaire received, 40 questions, ours to answer.",
    "The decision is taken by the head office; local team supports us.",
    "Said the price is fine if training is included.",
    "Postponed by a month because of their reorganisation.",
    "Happy with support so far; wants to add seats.",
)
