"""FHIR code systems and the OMOP vocabularies that hold their codes.

Sources: HL7 Terminology (terminology.hl7.org), UK Core and NHS Data Model implementation guides, the HL7 Vulcan FHIR-to-OMOP
implementation guide. The order is the order of preference where a concept carries several codings: vocabularies with standard
concepts first, then those that map to one concept more often than to several.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

_MIMIC = "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic"

_SYSTEMS: Sequence[tuple[str, Sequence[str]]] = (
    ("SNOMED", ("http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96", "https://snomed.info/sct")),
    ("LOINC", ("http://loinc.org", "urn:oid:2.16.840.1.113883.6.1", "https://loinc.org")),
    ("RxNorm", ("http://www.nlm.nih.gov/research/umls/rxnorm", "urn:oid:2.16.840.1.113883.6.88")),
    ("dm+d", ("https://dmd.nhs.uk", "http://dmd.nhs.uk", "urn:oid:2.16.840.1.113883.2.1.3.2.4.15")),
    ("CVX", ("http://hl7.org/fhir/sid/cvx", "urn:oid:2.16.840.1.113883.12.292")),
    ("UCUM", ("http://unitsofmeasure.org",)),
    ("OPCS4", ("https://fhir.hl7.org.uk/Id/opcs-4", "https://fhir.nhs.uk/Id/opcs-4", "http://fhir.nhs.net/Id/opcs-4")),
    ("ICD10CM", ("http://hl7.org/fhir/sid/icd-10-cm", "urn:oid:2.16.840.1.113883.6.90", f"{_MIMIC}-diagnosis-icd10")),
    (
        "ICD10PCS",
        (
            "http://www.cms.gov/Medicare/Coding/ICD10",
            "http://hl7.org/fhir/sid/icd-10-pcs",
            "urn:oid:2.16.840.1.113883.6.4",
            f"{_MIMIC}-procedure-icd10",
        ),
    ),
    (
        "ICD10",
        (
            "http://hl7.org/fhir/sid/icd-10",
            "http://hl7.org/fhir/sid/icd-10-uk",
            "https://fhir.hl7.org.uk/Id/icd-10",
            "urn:oid:2.16.840.1.113883.6.3",
        ),
    ),
    ("ICD10GM", ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "http://fhir.de/CodeSystem/dimdi/icd-10-gm")),
    ("OPS", ("http://fhir.de/CodeSystem/bfarm/ops", "http://fhir.de/CodeSystem/dimdi/ops")),
    ("ICD9CM", ("http://hl7.org/fhir/sid/icd-9-cm", "urn:oid:2.16.840.1.113883.6.103", f"{_MIMIC}-diagnosis-icd9")),
    (
        "ICD9Proc",
        (
            "http://hl7.org/fhir/sid/icd-9-cm-procedure",
            "urn:oid:2.16.840.1.113883.6.104",
            f"{_MIMIC}-procedure-icd9",
        ),
    ),
    ("CPT4", ("http://www.ama-assn.org/go/cpt", "urn:oid:2.16.840.1.113883.6.12")),
    (
        "HCPCS",
        (
            "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
            "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
            "http://terminology.hl7.org/CodeSystem/HCPCS",
            "urn:oid:2.16.840.1.113883.6.285",
        ),
    ),
    ("NDC", ("http://hl7.org/fhir/sid/ndc", "urn:oid:2.16.840.1.113883.6.69", f"{_MIMIC}-medication-ndc")),
    ("ATC", ("http://www.whocc.no/atc", "http://fhir.de/CodeSystem/bfarm/atc", "urn:oid:2.16.840.1.113883.6.73")),
    ("Read", ("http://read.info/readv2", "urn:oid:2.16.840.1.113883.2.1.6.2")),
    ("CTV3", ("http://read.info/ctv3", "urn:oid:2.16.840.1.113883.2.1.3.2.4.14")),
    ("ICDO3", ("http://terminology.hl7.org/CodeSystem/icd-o-3", "urn:oid:2.16.840.1.113883.6.43.1")),
    ("CDT", ("http://www.ada.org/cdt", "http://terminology.hl7.org/CodeSystem/cdt")),
    ("HGNC", ("http://www.genenames.org", "http://www.genenames.org/geneId")),
    ("MeSH", ("https://www.nlm.nih.gov/mesh", "https://id.nlm.nih.gov/mesh")),
    ("NUCC", ("http://nucc.org/provider-taxonomy", "urn:oid:2.16.840.1.113883.6.101")),
    ("UNII", ("http://fdasis.nlm.nih.gov",)),
    ("VANDF", ("http://hl7.org/fhir/sid/va-drug", "urn:oid:2.16.840.1.113883.6.345")),
    ("NDFRT", ("http://hl7.org/fhir/ndfrt",)),
)

VOCABULARIES: Mapping[str, str] = MappingProxyType({uri: vocabulary for vocabulary, uris in _SYSTEMS for uri in uris})
"""FHIR system URI (without a trailing slash) -> OMOP vocabulary_id."""

PREFERENCE: Sequence[str] = tuple(vocabulary for vocabulary, _ in _SYSTEMS)
"""Vocabularies, the one to be preferred first. A coding that a person selected (`userSelected`) comes before them all."""

HL7_PREFIXES = ("http://terminology.hl7.org/CodeSystem/", "http://hl7.org/fhir/", "http://hl7.org/fhir/v3/")
"""HL7's own code systems keep the last part of their URI as vocabulary (`v3-ActCode`); others keep the whole URI."""
