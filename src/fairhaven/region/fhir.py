"""What the south trust sends: FHIR R4, one resource a line, one file for each type; observations come compressed.

Resources are written as text, because DuckDB's JSON writer would write an absent element as null, which FHIR forbids.
"""

from pathlib import Path

from fairhaven.region.extract_files import ExtractFiles

SOURCE = "south_trust_fhir"
BAD_LINES = (
    '{"resourceType": "Condition", "id": "bad-1", "subject": {"reference": "Patient/1"',
    '{"resourceType": "Condition", "id": "bad-2", "code": {"coding": [{"system": "http://snomed.info/sct"',
)
"""Lines of Condition.ndjson that end too early."""

_STAY = {
    "Organization": "{'resourceType': 'Organization', 'id': 'fairhaven-south', 'name': 'Fairhaven South NHS Trust',"
    " 'identifier': [{'system': 'https://fhir.nhs.uk/Id/ods-organization-code', 'value': 'RFS'}]}",
    "Location": "{'resourceType': 'Location', 'id': 'ward-' || n, 'name': ['Emergency department', 'Day unit', 'Ward 3',"
    " 'Outpatients'][n], 'managingOrganization': {'reference': 'Organization/fairhaven-south'}}",
    "Practitioner": "{'resourceType': 'Practitioner', 'id': 'p' || n, 'name': [{'family': ['Ashworth', 'Clough', 'Mensah',"
    " 'Qureshi'][n], 'given': [['Ruth', 'Alan', 'Ama', 'Imran'][n]]}], 'gender': ['female', 'male', 'female', 'male'][n]}",
}


def write(extracts: ExtractFiles, folder: Path, *, delivery: int, volume: int, is_first: bool) -> None:
    """Append the block's resources of a delivery."""
    if is_first and delivery == 1:
        for name, struct in _STAY.items():
            many = "2" if name == "Organization" else "5"
            extracts.lines(
                folder / f"{name}.ndjson", f"SELECT to_json({struct})::VARCHAR FROM range(1, {many}) r(n) ORDER BY n"
            )
    when = {
        1: "f.delivery = 1",
        2: "(f.delivery = 2 OR f.is_withdrawn OR f.amended_value IS NOT NULL)",
    }[delivery]
    form = {"delivery": delivery, "when": when, "source": SOURCE}
    for name, query in _RESOURCES.items():
        ending = "ndjson.gz" if name in ("Observation", "Encounter") else "ndjson"
        path = folder / f"{name}_{volume:02d}.{ending}"
        extracts.lines(path, query.format(**form))
        if name == "Condition" and is_first and delivery == 1:
            extracts.text(path, "".join(f"{line}\n" for line in BAD_LINES))


PREPARE = """
CREATE MACRO js(t) AS to_json(t)::VARCHAR;
CREATE MACRO coding(vocabulary, code, term) AS '{"coding":[{"system":"' || CASE vocabulary
    WHEN 'SNOMED' THEN 'http://snomed.info/sct' WHEN 'LOINC' THEN 'http://loinc.org'
    ELSE 'http://www.nlm.nih.gov/research/umls/rxnorm' END || '","code":"' || code || '","display":' || js(term) || '}],"text":' || js(term) || '}';
CREATE MACRO head(type_, id) AS '{"resourceType":"' || type_ || '","id":"' || id || '"';
CREATE MACRO encounter_id(person, visit) AS 'enc-' || person || '-' || visit;
CREATE MACRO about(patient, person, visit) AS ',"subject":{"reference":"Patient/' || patient || '"}'
  || CASE WHEN visit IS NULL THEN '' ELSE ',"encounter":{"reference":"Encounter/' || encounter_id(person, visit) || '"}' END;
CREATE MACRO quantity(value, unit) AS '{"value":' || value || coalesce(',"unit":' || js(unit)
  || ',"system":"http://unitsofmeasure.org","code":' || js(unit), '') || '}';
CREATE MACRO moment(date, hour) AS date::VARCHAR || 'T' || lpad((8 + hour % 10)::VARCHAR, 2, '0') || ':15:00'
  || CASE WHEN timezone('UTC', timezone('Europe/London', date::TIMESTAMP + INTERVAL 8 HOUR)) = date::TIMESTAMP + INTERVAL 8 HOUR
     THEN '+00:00' ELSE '+01:00' END;
CREATE MACRO fhir_status(denied, is_withdrawn, delivery, in_delivery, status) AS
  CASE WHEN denied = 'entered-in-error' OR (is_withdrawn AND delivery = 1 AND in_delivery = 2) THEN 'entered-in-error' ELSE status END;
CREATE MACRO result(value, amended, delivery, in_delivery) AS
  CASE WHEN in_delivery = 2 AND delivery = 1 THEN coalesce(amended, value) ELSE value END
"""

_FROM = "FROM fact f JOIN known_{delivery} k ON k.person = f.person AND k.source = '{source}' WHERE f.route = 'fhir' AND {when}"

_RESOURCES = {
    "Patient": """
SELECT head('Patient', r.patient) || ',"active":true,"identifier":[{{"system":"https://fairhaven-south.example/hospital-number","value":"'
  || r.patient || '"}}' || coalesce(',{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"' || r.nhs_number || '"}}', '') || ']'
  || ',"name":[{{"use":"official","family":' || js(r.family_name) || ',"given":[' || js(r.given_name) || ']}}]'
  || ',"gender":"' || CASE r.sex WHEN 'F' THEN 'female' ELSE 'male' END || '","birthDate":"' || r.birth_date || '"'
  || ',"address":[{{"use":"home","line":[' || js(r.address) || ']' || coalesce(',"postalCode":"' || r.postcode || '"', '') || '}}]'
  || ',"extension":[{{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EthnicCategory",'
  || '"valueCodeableConcept":{{"coding":[{{"system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategory","code":"'
  || r.ethnicity || '"}}]}}}}]'
  || CASE WHEN p.death_date IS NOT NULL AND draw(r.person, 'died in hospital') < 0.5 AND (r.delivery = 2 OR p.death_date < DATE '2026-09-27')
    THEN ',"deceasedDateTime":"' || p.death_date || '"' ELSE '' END
  || ',"managingOrganization":{{"reference":"Organization/fairhaven-south"}}}}'
FROM record r JOIN person p USING (person) WHERE r.source = '{source}' AND r.delivery = {delivery} ORDER BY r.person, r.is_second""",
    "Encounter": """
SELECT head('Encounter', encounter_id(v.person, v.visit)) || ',"status":"finished","class":{{"system":'
  || '"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"'
  || CASE v.class WHEN 'ordinary' THEN 'IMP' WHEN 'emergency' THEN 'EMER' ELSE 'AMB' END || '"}}'
  || about(k.patient, v.person, NULL) || ',"period":{{"start":"' || moment(v.start_date, v.h % 7) || '","end":"'
  || moment(v.end_date, 7 + v.h % 3) || '"}},"serviceProvider":{{"reference":"Organization/fairhaven-south"}}'
  || ',"location":[{{"location":{{"reference":"Location/ward-' || CASE v.class WHEN 'emergency' THEN 1 WHEN 'day case' THEN 2
     WHEN 'ordinary' THEN 3 ELSE 4 END || '"}}}}],"participant":[{{"individual":{{"reference":"Practitioner/p' || (1 + v.h % 4) || '"}}}}]}}'
FROM visit v JOIN known_{delivery} k ON k.person = v.person AND k.source = '{source}'
WHERE v.site = 2 AND v.delivery = {delivery} ORDER BY v.person, v.visit""",
    "Condition": """
SELECT head('Condition', 'c' || f.fact) || ',"clinicalStatus":{{"coding":[{{"system":'
  || '"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"'
  || CASE WHEN f.end_date IS NULL THEN 'active' ELSE 'resolved' END || '"}}]}},"verificationStatus":{{"coding":[{{"system":'
  || '"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"'
  || fhir_status(f.denied, f.is_withdrawn, f.delivery, {delivery}, coalesce(f.denied, 'confirmed')) || '"}}]}}'
  || ',"category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"encounter-diagnosis"}}]}}]'
  || ',"code":' || coding(f.vocabulary_id, f.code, f.term) || about(k.patient, f.person, f.visit)
  || ',"onsetDateTime":"' || f.date || '"' || coalesce(',"abatementDateTime":"' || f.end_date || '"', '')
  || ',"recordedDate":"' || f.date || '"}}' """
    + _FROM
    + " AND f.kind = 'condition' ORDER BY f.fact",
    "Observation": """
SELECT line FROM (
SELECT f.fact, head('Observation', 'o' || f.fact) || ',"status":"'
  || fhir_status(f.denied, f.is_withdrawn, f.delivery, {delivery}, CASE WHEN {delivery} = 2 AND f.delivery = 1 THEN 'amended' ELSE 'final' END)
  || '","code":' || coding(f.vocabulary_id, f.code, f.term) || about(k.patient, f.person, f.visit)
  || ',"effectiveDateTime":"' || moment(f.date, f.h % 7) || '"'
  || CASE WHEN f.value IS NOT NULL THEN ',"valueQuantity":' || quantity(result(f.value, f.amended_value, f.delivery, {delivery}), f.unit)
       || CASE WHEN part(f.h, 0) > 0.9 THEN ',"interpretation":[{{"coding":[{{"system":'
         || '"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"H"}}]}}]' ELSE '' END
     WHEN f.code = '72166-2' THEN ',"valueCodeableConcept":' || CASE WHEN draw(f.person, 'smokes') < 0.5
       THEN coding('SNOMED', '266919005', 'Never smoked tobacco') WHEN draw(f.person, 'smokes') < 0.8
       THEN coding('SNOMED', '8517006', 'Ex-smoker') ELSE coding('SNOMED', '77176002', 'Smoker') END
     WHEN f.kind = 'measurement' THEN ',"valueCodeableConcept":' || coding('SNOMED', '260385009', 'Negative') ELSE '' END
  || '}}' AS line """
    + _FROM
    + """ AND f.kind IN ('measurement', 'observation') AND f.fact NOT IN (SELECT diastolic FROM panel UNION ALL SELECT systolic FROM panel)
UNION ALL
SELECT f.fact, head('Observation', 'o' || f.fact) || ',"status":"'
  || fhir_status(f.denied, f.is_withdrawn, f.delivery, {delivery}, CASE WHEN {delivery} = 2 AND f.delivery = 1 THEN 'amended' ELSE 'final' END)
  || '","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}}]}}]'
  || ',"code":' || coding('LOINC', '85354-9', 'Blood pressure panel with all children optional')
  || about(k.patient, f.person, f.visit) || ',"effectiveDateTime":"' || moment(f.date, f.h % 7) || '"'
  || ',"component":[{{"code":' || coding('LOINC', f.code, f.term) || ',"valueQuantity":'
  || quantity(result(f.value, f.amended_value, f.delivery, {delivery}), f.unit) || '}},{{"code":' || coding('LOINC', d.code, d.term)
  || ',"valueQuantity":' || quantity(result(d.value, d.amended_value, d.delivery, {delivery}), d.unit) || '}}]}}'
FROM fact f JOIN panel b ON b.systolic = f.fact JOIN fact d ON d.fact = b.diastolic
JOIN known_{delivery} k ON k.person = f.person AND k.source = '{source}'
WHERE {when} OR ({delivery} = 2 AND d.amended_value IS NOT NULL)) ORDER BY fact""",
    "Procedure": """
SELECT head('Procedure', 'r' || f.fact) || ',"status":"' || fhir_status(f.denied, f.is_withdrawn, f.delivery, {delivery}, 'completed')
  || '","code":' || coding(f.vocabulary_id, f.code, f.term) || about(k.patient, f.person, f.visit)
  || ',"performedDateTime":"' || moment(f.date, f.h % 7) || '"}}' """
    + _FROM
    + " AND f.kind = 'procedure' ORDER BY f.fact",
    "MedicationRequest": """
SELECT head('MedicationRequest', 'm' || f.fact) || ',"status":"' || fhir_status(f.denied, f.is_withdrawn, f.delivery, {delivery}, 'completed')
  || '","intent":"order","medicationCodeableConcept":' || coding(f.vocabulary_id, f.code, f.term) || about(k.patient, f.person, f.visit)
  || ',"authoredOn":"' || moment(f.date, f.h % 7) || '"' || coalesce(',"dispenseRequest":{{"expectedSupplyDuration":{{"value":'
  || f.days_supply || ',"unit":"days","system":"http://unitsofmeasure.org","code":"d"}}}}', '') || '}}' """
    + _FROM
    + " AND f.kind = 'drug' ORDER BY f.fact",
    # The letter names the patient: what must never reach a release.
    "DocumentReference": """
SELECT head('DocumentReference', 'd-' || v.person || '-' || v.visit) || ',"status":"current","type":'
  || coding('LOINC', '18842-5', 'Discharge summary') || ',"subject":{{"reference":"Patient/' || k.patient || '"}},"date":"'
  || moment(v.end_date, 9) || '","content":[{{"attachment":{{"contentType":"text/plain","data":"'
  || to_base64(('Dear Doctor, ' || k.given_name || ' ' || k.family_name || ', born ' || strftime(k.birth_date, '%d %B %Y') || ', of '
     || k.address || ', was seen here on ' || strftime(v.start_date, '%d %B %Y') || ' and is now at home. Yours sincerely')::BLOB)
  || '"}}}}],"context":{{"encounter":[{{"reference":"Encounter/' || encounter_id(v.person, v.visit) || '"}}]}}}}'
FROM visit v JOIN known_{delivery} k ON k.person = v.person AND k.source = '{source}'
WHERE v.site = 2 AND v.class IN ('ordinary', 'emergency') AND v.delivery = {delivery} ORDER BY v.person, v.visit""",
}
