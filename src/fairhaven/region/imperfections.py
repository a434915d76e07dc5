"""How imperfect the region's records are: every rate of error, in one place.

A rate is the share of the records (a person as one source knows them) or of the rows named. The reference for real rates is
thin, so these are set where linkage has to work but can: what is invented is said in
``docs/explanation/demonstration-region.md``, whose table is checked against this module.
"""

from types import MappingProxyType

REGISTERED_WITH_GP = 0.97
"""Share of persons that a practice knows."""
CHANGED_PRACTICE = 0.06
"""Share of those that two practices know, one before and one after a day."""
OTHER_TRUST = 0.08
"""Share of hospital visits that take place in the trust that is not the person's usual one."""

NHS_NUMBER_MISSING = MappingProxyType(
    {
        "gp_riverside": 0.004,
        "gp_parkview": 0.004,
        "gp_stmarys": 0.004,
        "north_trust_hes": 0.05,
        "south_trust_fhir": 0.05,
        "council_asc": 0.20,
        "registrar_deaths": 0.10,
    }
)
"""Share of records without an NHS number, by source."""
NHS_NUMBER_MISTYPED = 0.01
"""One digit is wrong, so that the check digit does not fit."""
NHS_NUMBER_OF_ANOTHER = 0.0008
"""Another person's valid NHS number: the error that no check digit finds."""
NAME_MISTYPED = 0.02
"""Two letters swapped, one dropped or one doubled, in the given name or the family name (each at this rate)."""
NICKNAME = 0.05
"""A short form (Bill for William), of records whose given name has one."""
OLD_ADDRESS = 0.07
"""Street and postcode from before the person moved house."""
NAME_BEFORE_MARRIAGE = 0.40
"""The surname from before marriage, of a married-and-renamed woman's records outside general practice."""
RENAMED_AT_MARRIAGE = 0.12
"""Share of women of 20 and more who took another surname."""
DAY_AND_MONTH_SWAPPED = 0.005
"""Of birth dates whose day could be a month."""
POSTCODE_MISSING = 0.01

TWINS = 0.012
"""Share of persons who have a twin in the region: surname, birth date and address alike, given name and number not."""

TYPE_1_OPT_OUT = 0.03
"""Share of GP patients with a dissent code in the record."""
TYPE_1_WITHDRAWN = 0.15
"""Share of those who later withdrew the dissent."""
TYPE_1_NEW = 0.002
"""Share of GP patients who dissent between the two deliveries."""
NATIONAL_OPT_OUT = 0.04
"""Share of persons on the national list."""
NATIONAL_LEFT = 0.002
"""Share of persons who are on the first list and not on the second."""
NATIONAL_JOINED = 0.003
"""Share of persons who are on the second list and not on the first."""

LATE = 0.002
"""Share of rows (or visits) of the past that only the second delivery brings."""
WITHDRAWN = 0.002
"""Share of rows of the first delivery that the second takes back."""
AMENDED = 0.003
"""Share of numeric results of the first delivery that the second corrects."""
NEWCOMER = 0.006
"""Share of GP patients whom their practice first sends in the second delivery."""
ENTERED_IN_ERROR = 0.004
"""Share of FHIR resources marked entered-in-error when first sent."""
REFUTED = 0.01
"""Share of FHIR conditions with verificationStatus refuted."""

RATES = MappingProxyType({name: rate for name, rate in globals().items() if isinstance(rate, float)})
"""Every rate by its name, for the templates of SQL."""
