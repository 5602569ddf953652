"""The twenty job categories that the starter model knows, by stable key and display name."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

JOB_CATEGORIES: Final = MappingProxyType(
    {
        "software_it": "Software & IT",
        "data_analytics": "Data & Analytics",
        "engineering": "Engineering",
        "science_research": "Science & Research",
        "healthcare": "Healthcare",
        "education_training": "Education & Training",
        "community_public_safety": "Community & Public Safety",
        "legal": "Legal",
        "finance_accounting": "Finance & Accounting",
        "human_resources": "Human Resources",
        "sales_business_development": "Sales & Business Development",
        "marketing_communications": "Marketing & Communications",
        "design_arts_media": "Design, Arts & Media",
        "customer_service": "Customer Service",
        "administration_office": "Administration & Office",
        "management_operations": "Management & Operations",
        "retail_hospitality_food": "Retail, Hospitality & Food",
        "manufacturing_production": "Manufacturing & Production",
        "construction_maintenance": "Construction, Maintenance & Trades",
        "transport_logistics": "Transport & Logistics",
    }
)
