"""Terms written after the headings of published data sharing agreements are read right.

Each example follows the order and the headings of a kind of agreement that is published as a template; organisations,
references and figures are invented.
"""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from fairhaven.access.terms.contradictions import within_terms
from fairhaven.access.terms.terms_english import lines_of
from tests.support.terms import controller

NHS_UNIVERSAL = """
# 1. Parties and contacts
title = "Millbrook NHS Foundation Trust"
ods_code = "RXX"
contact = "ig@millbrook.example"
[officer]
role = "Data Protection Officer"
name = "A. Officer"
contact = "dpo@millbrook.example"

[terms.agreement]
# 2. Name of the agreement, reference, version
title = "Sharing of outpatient records for service evaluation"
reference = "MFT/2026/014"
# 3. Period of the agreement, review date
starts = 2026-11-01
ends = 2028-10-31
review_on = 2027-10-31
notice_days = 90
# 4. Data items to be shared
datasets = ["outpatients", "waiting_list"]
columns = ["person.*", "visit_occurrence.*", "procedure_occurrence.procedure_concept_id"]
columns_never = ["person.person_source_value"]
# 15. Other provisions
conditions = [
  "Incidents are told within 24 hours.",
  "Requests of data subjects are sent to the Trust.",
]
discovery = "none"

# 5. Controllers and processors; 9. national data opt-out; 11. retention and disposal; 12. transfers outside the UK
[terms.agreement.flow]
hub_role = "processor"
opt_outs = "left-out"
retention_months = 24
at_end = "destroy"
transfers = []

# 6. Purpose and benefits
[terms.agreement.use]
purposes = ["service-evaluation", "planning"]
sectors = ["nhs"]
countries = ["GB"]
benefit = \"\"\"
Shorter waits, and appointments
where they are needed.
\"\"\"

# 7. Lawful basis under UK GDPR; 8. common law duty of confidentiality; 10. data protection impact assessment
[terms.agreement.legal]
article_6 = "6(1)(e)"
article_9 = "9(2)(h)"
confidentiality = "section-251"
section_251 = { reference = "25/CAG/0001", letter_on = 2025-12-01, last_review_on = 2026-11-10 }
dpia = { reference = "DPIA 88", review_on = 2027-11-01 }
project_dpia = false

# 13. Security and training
[terms.agreement.users]
accreditation = ["hub"]
training = ["Data security awareness"]
standing = ["dspt"]

# 14. Onward sharing and publication
[terms.agreement.setting]
levels = ["result", "de-identified"]
outputs_by = "controller"
longest_months = 12
"""

NATIONAL_RELEASE = """
title = "National Data Collector"
ods_code = "X99"
[terms.nic]
title = "Data sharing agreement with annexes"
reference = "NIC-000000-A1B2C"
# Term: start and end
starts = 2026-12-01
ends = 2029-11-30
# Datasets, data minimisation
datasets = ["*"]
columns = ["*"]
columns_never = ["note.*", "location.*"]
# Special conditions
conditions = ["Outputs carry the words of attribution.", "Audit is allowed at two weeks' notice."]
discovery = "public"

# Controller of the data disseminated; opt-outs honoured; type of data; sublicensing; retention
[terms.nic.flow]
hub_role = "controller"
opt_outs = "anonymised"
sublicensing = false
retention_months = 60
transfers = [{ country = "US", safeguard = "idta" }, { country = "IE", safeguard = "adequacy" }]

# Objective for processing; territory of use; expected measurable benefits
[terms.nic.use]
purposes = ["health-research", "clinical-trials", "product-development"]
sectors = ["nhs", "academia", "charity", "industry"]
countries = ["GB-ENG", "GB-WLS", "IE", "US"]
benefit = "Benefits to health and care, named with their dates."

# Commercial purpose; charges
[terms.nic.commercial]
allowed = true
model = "cost-recovery"
background_property = "each-own"
resulting_property = "project"

[terms.nic.users]
accreditation = ["dea-full", "dea-provisional", "hub"]
standing = ["dspt", "ico"]

# Legal basis for dissemination
[terms.nic.legal]
article_6 = "6(1)(c)"
article_9 = "9(2)(g)"
confidentiality = "law"
statute = "Health and Social Care Act 2012, section 261"
ethics = { reference = "26/LO/0001", review_on = 2029-01-01 }

# Processing activities, location; specific outputs expected, and their disclosure control
[terms.nic.setting]
levels = ["result", "synthetic", "de-identified"]
output_policy = "hes"
outputs_by = "hub"
longest_months = 36

[terms.nic.publication]
review_days = 0
acknowledgement = "This work uses data of the National Data Collector."
"""

GA4GH_BIOBANK = """
title = "Harbour Biobank"
[terms.transfer]
title = "Data access agreement of the biobank"
starts = 2026-10-01
datasets = ["biobank"]
columns = ["*"]
discovery = "signed-in"
opt_out_days = 0
[terms.transfer.flow]
hub_role = "joint"
opt_outs = "consent"
at_end = "return"
# Permitted uses, disease areas, prohibited uses
[terms.transfer.use]
purposes = ["health-research", "genetic-research"]
sectors = ["academia", "charity"]
countries = ["GB"]
[terms.transfer.use.data_use]
permission = "DS"
modifiers = ["NPUNCU", "NPOA", "IRB", "TS", "IS", "PS", "US", "GS", "NMDS", "RS", "PUB", "COL", "RTN", "MOR"]
diseases = [
  { concept_id = 201826, name = "Type 2 diabetes mellitus" },
  { concept_id = 316866, name = "Hypertensive disorder" },
]
months = 24
institutions = ["RXX", "https://ror.org/00example"]
projects = ["harbour_1"]
places = ["GB"]
research = "Longitudinal studies of complications."
publish_within_months = 12
collaborate_with = "The principal investigators of the biobank."
collaborate_within_months = 6
return_within_months = 18
no_publication_before = 2027-06-30
[terms.transfer.users]
accreditation = ["dea-full"]
[terms.transfer.legal]
article_6 = "6(1)(e)"
article_9 = "9(2)(j)"
confidentiality = "consent"
consent = "Harbour consent form, version 4 of 2019"
project_ethics = true
[terms.transfer.setting]
levels = ["result", "de-identified"]
longest_months = 24
# Questions of the access committee
[[terms.transfer.questions]]
name = "stored_samples"
ask = "Do you need stored samples?"
kind = "yes-no"
accepted = ["no"]
[[terms.transfer.questions]]
name = "assay"
ask = "Which assay?"
kind = "choice"
choices = ["array", "exome", "genome"]
[[terms.transfer.questions]]
name = "power"
ask = "How was the size of the sample found?"
"""

COMMERCIAL_SDE = """
title = "Vale Integrated Care Board"
[terms.partners]
title = "Access of industry partners through the secure data environment"
starts = 2026-10-01
ends = 2031-09-30
datasets = ["*"]
columns = ["measurement.*", "condition_occurrence.*", "person.*"]
[terms.partners.flow]
hub_role = "joint"
opt_outs = "left-out"
[terms.partners.use]
purposes = ["product-development", "artificial-intelligence"]
sectors = ["industry"]
countries = ["GB"]
[terms.partners.commercial]
allowed = true
model = "share-of-revenue"
share_percent = 2.5
resulting_property = "project-licensed"
[terms.partners.users]
accreditation = ["dea-full", "hub"]
standing = ["cyber-essentials", "ico", "dspt"]
[terms.partners.legal]
article_6 = "6(1)(e)"
article_9 = "9(2)(j)"
confidentiality = "not-confidential"
[terms.partners.setting]
levels = ["synthetic"]
outputs_by = "both"
longest_months = 60
[terms.partners.publication]
review_days = 45
returns = [
  { to = "nhs", what = "Free use of the product in the area.", within_months = 6 },
  { to = "patients", what = "A yearly meeting.", within_months = 12 },
]
"""

READ: list[tuple[str, str, dict[str, Any]]] = [
    (NHS_UNIVERSAL, "agreement", {
        "reference": "MFT/2026/014", "datasets": ("outpatients", "waiting_list"), "starts": dt.date(2026, 11, 1),
        "ends": dt.date(2028, 10, 31), "review_on": dt.date(2027, 10, 31), "notice_days": 90, "discovery": "none",
        "flow.hub_role": "processor", "flow.opt_outs": "left-out", "flow.retention_months": 24, "flow.at_end": "destroy",
        "flow.transfers": (), "use.purposes": ("service-evaluation", "planning"), "use.sectors": ("nhs",),
        "use.benefit": "Shorter waits, and appointments\nwhere they are needed.\n", "legal.article_6": "6(1)(e)",
        "legal.article_9": "9(2)(h)", "legal.confidentiality": "section-251", "legal.section_251.reference": "25/CAG/0001",
        "legal.section_251.review_due": dt.date(2027, 12, 1), "legal.dpia.review_on": dt.date(2027, 11, 1),
        "legal.project_dpia": False, "users.training": ("Data security awareness",), "users.standing": ("dspt",),
        "setting.outputs_by": "controller", "setting.longest_months": 12, "setting.safe_setting_only": True,
        "commercial.allowed": False, "opt_out_days": 30,
    }),
    (NATIONAL_RELEASE, "nic", {
        "datasets": ("*",), "columns_never": ("note.*", "location.*"), "discovery": "public", "flow.hub_role": "controller",
        "flow.opt_outs": "anonymised", "flow.sublicensing": False, "flow.retention_months": 60,
        "use.countries": ("GB-ENG", "GB-WLS", "IE", "US"), "commercial.allowed": True, "commercial.model": "cost-recovery",
        "commercial.resulting_property": "project", "legal.statute": "Health and Social Care Act 2012, section 261",
        "legal.ethics.reference": "26/LO/0001", "setting.output_policy": "hes", "setting.levels": ("result", "synthetic", "de-identified"),
        "publication.review_days": 0, "publication.acknowledgement": "This work uses data of the National Data Collector.",
    }),
    (GA4GH_BIOBANK, "transfer", {
        "ends": None, "opt_out_days": 0, "flow.opt_outs": "consent", "flow.at_end": "return", "use.data_use.permission": "DS",
        "use.data_use.months": 24, "use.data_use.institutions": ("RXX", "https://ror.org/00example"),
        "use.data_use.projects": ("harbour_1",), "use.data_use.publish_within_months": 12,
        "use.data_use.collaborate_within_months": 6, "use.data_use.return_within_months": 18,
        "use.data_use.no_publication_before": dt.date(2027, 6, 30), "legal.consent": "Harbour consent form, version 4 of 2019",
        "legal.project_ethics": True,
    }),
    (COMMERCIAL_SDE, "partners", {
        "commercial.model": "share-of-revenue", "commercial.share_percent": 2.5, "commercial.resulting_property": "project-licensed",
        "use.sectors": ("industry",), "users.accreditation": ("dea-full", "hub"), "setting.levels": ("synthetic",),
        "setting.outputs_by": "both", "publication.review_days": 45, "discovery": "none",
    }),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "expected"), READ, ids=[name for _, name, _ in READ])
def test_terms_written_after_the_headings_of_published_data_sharing_agreements_are_read_right(
    text: str, name: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    found = controller(tmp_path, text)
    assert {field: _at(found.terms[name], field) for field in expected} == expected
    assert not list(within_terms("hillside", found))


def test_the_codes_of_data_use_are_read_with_what_belongs_to_each(tmp_path: Path) -> None:
    use = controller(tmp_path, GA4GH_BIOBANK).terms["transfer"].use.data_use
    assert use is not None
    assert [(each.concept_id, each.name) for each in use.diseases] == [
        (201826, "Type 2 diabetes mellitus"),
        (316866, "Hypertensive disorder"),
    ]
    assert {str(each) for each in use.modifiers if each.is_duty} == {"PUB", "COL", "RTN", "MOR"}
    assert {str(each) for each in use.modifiers if each.decided_by == "person"} == {"RS"}


def test_what_comes_back_and_where_data_go_is_read_item_by_item(tmp_path: Path) -> None:
    returns = controller(tmp_path, COMMERCIAL_SDE).terms["partners"].publication.returns
    assert [(each.to, each.within_months) for each in returns] == [("nhs", 6), ("patients", 12)]
    transfers = controller(tmp_path, NATIONAL_RELEASE).terms["nic"].flow.transfers
    assert [(each.country, each.safeguard) for each in transfers] == [("US", "idta"), ("IE", "adequacy")]


def test_a_controllers_own_question_is_a_machines_only_where_it_says_what_is_accepted(tmp_path: Path) -> None:
    lines = lines_of(controller(tmp_path, GA4GH_BIOBANK).terms["transfer"])
    said = {line.field: (line.words, line.decided_by) for line in lines if line.field.startswith("questions")}
    assert [by for _, by in said.values()] == ["machine", "person", "person"]
    assert said["questions[0]"][0].endswith("Do you need stored samples? Answered yes or no; accepted: no")
    assert said["questions[1]"][0].endswith("Which assay? Answered one of its choices (array, exome, genome)")


def _at(noun: Any, field: str) -> Any:
    for part in field.split("."):
        noun = getattr(noun, part)
    return noun
