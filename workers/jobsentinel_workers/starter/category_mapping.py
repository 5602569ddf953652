"""How occupation codes and job functions become the twenty categories.

Codes are matched by their longest known prefix. Job functions are proposals: "Sales" holds cashiers
as well, so a function counts only where a model of occupations agrees. LinkedIn's "Management,
Manufacturing" is what a posting gets that nobody classified, and proposes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_SOC_GROUPS: Final = {
    "software_it": "11-3021 15-1",
    "data_analytics": "15-1243 15-203 15-204 15-205 43-9111",
    "engineering": "11-9041 17",
    "science_research": "11-9121 15-2021 19",
    "healthcare": "11-9111 19-303 21-1013 21-1014 21-1018 21-1022 21-1023 29 31",
    "education_training": "11-903 21-1012 25 39-9011",
    "community_public_safety": "11-9151 11-9161 21 33 43-5031 55",
    "legal": "13-1041 23",
    "finance_accounting": (
        "11-3031 13-1031 13-1032 13-2 15-2011 43-3 43-4011 43-4041 43-4131 43-4141 43-9041"
    ),
    "human_resources": "11-3111 11-3121 11-3131 13-107 13-1141 13-1151 43-4161",
    "sales_business_development": "11-2022 41",
    "marketing_communications": "11-2011 11-2021 11-203 13-1121 13-1131 13-1161 27-3031",
    "design_arts_media": "13-1011 15-1255 27",
    "customer_service": "43-4051 43-4181",
    "administration_office": "11-3012 43 43-3061",
    "management_operations": "11 13-102 13-1051 13-1082 13-1111 13-1199",
    "retail_hospitality_food": "11-9051 11-9071 11-9072 11-9081 11-9179 35 39 41-1011 41-2 43-4081",
    "manufacturing_production": "11-3051 11-9013 45 51",
    "construction_maintenance": "11-9021 37 47 49",
    "transport_logistics": "11-3071 13-1081 43-5 53",
}

_ISCO_GROUPS: Final = {
    "software_it": "133 25 351",
    "data_analytics": "212 3314",
    "engineering": "214 215 2161 2162 2164 2165 311 3522",
    "science_research": "1223 211 213 2631 2632 2633 314",
    "healthcare": "1342 1343 22 2634 32 532",
    "education_training": "1341 1345 23 2622 5165 531",
    "community_public_safety": "0 1344 2635 2636 335 3412 3413 54",
    "legal": "261 3411",
    "finance_accounting": "1211 1346 241 3311 3312 3313 3315 3352 4211 4213 4214 431",
    "human_resources": "1212 2423 2424 3333 4416",
    "sales_business_development": "2433 2434 3321 3322 3324 3334 5242 5243 5244",
    "marketing_communications": "1222 2431 2432 3332",
    "design_arts_media": "2163 2166 2621 264 265 343 3521",
    "customer_service": "4221 4222 4225",
    "administration_office": "334 41 4223 4226 44",
    "management_operations": "111 112 1213 1219 1349 2421 2422 3323",
    "retail_hospitality_food": "14 3434 4212 4224 512 513 514 516 52 94 95",
    "manufacturing_production": "131 1321 1322 3121 3122 313 61 62 63 721 722 73 75 81 82 92 932",
    "construction_maintenance": "1323 3123 515 71 723 74 811 91 931",
    "transport_logistics": "1324 315 3331 432 511 83 933 961",
}

_FUNCTIONS: Final = {
    ("Health Care Provider",): "healthcare",
    ("Information Technology",): "software_it",
    ("Engineering", "Information Technology"): "software_it",
    ("Accounting/Auditing", "Finance"): "finance_accounting",
    ("Accounting/Auditing",): "finance_accounting",
    ("Finance",): "finance_accounting",
    ("Administrative",): "administration_office",
    ("Legal",): "legal",
    ("Human Resources",): "human_resources",
    ("Marketing",): "marketing_communications",
    ("Marketing", "Public Relations", "Writing/Editing"): "marketing_communications",
    ("Advertising", "Marketing"): "marketing_communications",
    ("Education", "Training"): "education_training",
    ("Education",): "education_training",
    ("Engineering",): "engineering",
    ("Customer Service",): "customer_service",
    ("Purchasing", "Supply Chain"): "transport_logistics",
    ("Supply Chain",): "transport_logistics",
    ("Research", "Science"): "science_research",
    ("Design",): "design_arts_media",
    ("Art/Creative", "Design", "Information Technology"): "design_arts_media",
    ("Sales",): "sales_business_development",
    ("Business Development",): "sales_business_development",
    ("Business Development", "Sales"): "sales_business_development",
    ("Advertising", "Business Development", "Sales"): "sales_business_development",
    ("Analyst",): "data_analytics",
    ("Analyst", "Information Technology", "Research"): "data_analytics",
    ("Management",): "management_operations",
    ("Project Management",): "management_operations",
    ("Manufacturing",): "manufacturing_production",
    ("Production",): "manufacturing_production",
}


def _by_prefix(groups: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(
        {prefix: category for category, codes in groups.items() for prefix in codes.split()}
    )


SOC_CATEGORIES: Final = _by_prefix(_SOC_GROUPS)
ISCO_CATEGORIES: Final = _by_prefix(_ISCO_GROUPS)
FUNCTION_CATEGORIES: Final = MappingProxyType(_FUNCTIONS)


def category_of_soc(code: str) -> str | None:
    """Return the category of an O*NET-SOC code such as ``15-1252.00``; None if it has none."""
    return _longest_prefix(SOC_CATEGORIES, code)


def category_of_isco(group: str) -> str | None:
    """Return the category of an ISCO-08 group of four digits; None if it has none."""
    return _longest_prefix(ISCO_CATEGORIES, group)


def category_of_functions(functions: tuple[str, ...]) -> str | None:
    """Return the category of a posting's job functions; None where they do not tell."""
    return FUNCTION_CATEGORIES.get(tuple(sorted(functions)))


def _longest_prefix(categories: Mapping[str, str], code: str) -> str | None:
    for length in range(len(code), 0, -1):
        if code[:length] in categories:
            return categories[code[:length]]
    return None
