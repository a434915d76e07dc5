"""What the three GP practices send. Each supplier's system has its own headers, date forms, separators and codes."""

from dataclasses import dataclass
from pathlib import Path

from fairhaven.region.extract_files import ExtractFiles

_REGISTRATIONS = """
SELECT {patient} AS patient, {number}, given_name, {family}, strftime(birth_date, '{date}'), {sex}, address, postcode, ethnicity,
  {extra} strftime(since, '{date}'), strftime(until, '{date}')
FROM record WHERE source = '{source}' AND delivery = {delivery} ORDER BY person, is_second"""

_EVENTS = """
SELECT fact, {patient}, {events_number} strftime(date, '{date}'), vocabulary_id, code, term,
  {amended} AS value, gp_unit, {status}
FROM fact JOIN known_{delivery} USING (person)
WHERE source = '{source}' AND route = 'events' AND practice = {practice} AND ({when}) ORDER BY fact"""

_MEDICATIONS = """
SELECT fact, {patient}, {events_number} strftime(date, '{date}'), vocabulary_id, code, term,
  coalesce(days_supply, 28) * (1 + fact % 2) AS quantity, 'tablet', coalesce(days_supply, 28) AS days_supply, {status}
FROM fact JOIN known_{delivery} USING (person)
WHERE source = '{source}' AND route = 'medications' AND practice = {practice} AND ({when}) ORDER BY fact"""

_WHEN = {1: "fact.delivery = 1", 2: "fact.delivery = 2 OR is_withdrawn OR amended_value IS NOT NULL"}
_AMENDED = {1: "value", 2: "CASE WHEN fact.delivery = 1 THEN coalesce(amended_value, value) ELSE value END"}


@dataclass(frozen=True, kw_only=True)
class Practice:
    """A practice and its supplier's ways.

    Args:
        number: 1 to 3, as in table ``fact``.
        number_sql: the NHS number as this system writes it.
        active, deleted: what the status column says.
        bad_events: rows that no reader can take, in this form; their reasons are in the truth.
    """

    name: str
    number: int
    registrations: str
    events: str
    medications: str
    date: str = "%Y-%m-%d"
    delimiter: str = ","
    encoding: str = "utf-8"
    number_sql: str = "nhs_number"
    has_events_number: bool = True
    family: str = "family_name"
    sex: str = "sex"
    extra: str = ""
    active: str = "A"
    deleted: str = "D"
    file: str = "{table}_{volume:02d}.csv"
    bad_events: tuple[tuple[str, str], ...] = ()

    def write(self, extracts: ExtractFiles, folder: Path, *, delivery: int, volume: int, is_first: bool) -> None:
        """Append this practice's rows of the block to its files in *folder*."""
        form = {
            "source": f"gp_{self.name}",
            "practice": self.number,
            "delivery": delivery,
            "date": self.date,
            "patient": "patient",
            "number": self.number_sql,
            "events_number": f"{self.number_sql}," if self.has_events_number else "",
            "family": self.family,
            "sex": self.sex,
            "extra": self.extra,
            "when": _WHEN[delivery],
            "amended": _AMENDED[delivery],
            "status": f"CASE WHEN is_withdrawn AND {delivery} = 2 AND fact.delivery = 1"
            f" THEN '{self.deleted}' ELSE '{self.active}' END",
        }
        for table, query, columns in (
            ("registrations", _REGISTRATIONS, self.registrations),
            ("events", _EVENTS, self.events),
            ("medications", _MEDICATIONS, self.medications),
        ):
            path = folder / self.file.format(table=table, volume=volume)
            extracts.table(path, query.format(**form), columns, delimiter=self.delimiter, encoding=self.encoding)
            if table == "events" and is_first and delivery == 1:
                for line, _ in self.bad_events:
                    extracts.text(path, line.replace(",", self.delimiter) + "\n", self.encoding)


PRACTICES = (
    Practice(
        name="riverside",
        number=1,
        registrations="patient_id,nhs_number,given_name,family_name,birth_date,sex,address,postcode,ethnic_category,"
        "telephone,registered_on,deregistered_on",
        events="event_id,patient_id,nhs_number,event_date,code_system,code,term,value,unit,record_status",
        medications="issue_id,patient_id,nhs_number,issue_date,code_system,code,term,quantity,unit,days_supply,record_status",
        # 01632 960 is a range that Ofcom keeps for fiction.
        extra="'01632 960' || lpad((person % 1000)::VARCHAR, 3, '0'),",
        bad_events=(
            ("-1,0000001,,0001-01-01,SNOMED,38341003,Hypertensive disorder,,,A", "event_date"),
            ("-2,0000001,,2026-02-30,SNOMED,38341003,Hypertensive disorder,,,A", "event_date"),
            ("-3,0000001,,2024-03-01,LOINC,8480-6,Systolic blood pressure,see note,mmHg,A", "value"),
            ("-4,0000001,,,LOINC,8480-6,Systolic blood pressure,120,mmHg,A", "event_date"),
            ("-5,,,2024-03-01,LOINC,8480-6,Systolic blood pressure,120,mmHg,A", "patient_id"),
        ),
    ),
    Practice(
        name="parkview",
        number=2,
        registrations="Patient No,NHS Number,Forename,Surname,DOB,Gender,Address Line,Post Code,Ethnicity,Reg Date,Dereg Date",
        events="Entry ID,Patient No,NHS Number,Entry Date,Scheme,Code,Rubric,Numeric Value,Units,Status",
        medications="Script ID,Patient No,NHS Number,Script Date,Scheme,Code,Rubric,Quantity,Units,Days,Status",
        date="%d/%m/%Y",
        number_sql="nhs_number[:3] || ' ' || nhs_number[4:6] || ' ' || nhs_number[7:]",
        family="upper(family_name)",
        sex="CASE sex WHEN 'F' THEN 'Female' ELSE 'Male' END",
        active="Active",
        deleted="Deleted",
        bad_events=(
            ("-1,P0000001,,31/02/2025,SNOMED,38341003,Hypertensive disorder,,,Active", "event_date"),
            ("-2,P0000001,,15/06/2025,PV,WT,Weight,12 stone 4,kg,Active", "value"),
        ),
    ),
    Practice(
        name="stmarys",
        number=3,
        registrations="PATIENT_REF,NHSNO,NAME_FIRST,NAME_LAST,D_O_B,SEX,ADDRESS,POSTCODE,ETHNIC,REG_FROM,REG_TO",
        events="ROW_ID,PATIENT_REF,DATE_DONE,CODESYS,CODE,TEXT,RESULT,RESULT_UNIT,DELETED",
        medications="ROW_ID,PATIENT_REF,DATE_DONE,CODESYS,CODE,TEXT,QTY,QTY_UNIT,DAYS,DELETED",
        date="%d-%b-%Y",
        delimiter="|",
        encoding="windows-1252",
        has_events_number=False,
        sex="CASE sex WHEN 'F' THEN '2' ELSE '1' END",
        active="0",
        deleted="1",
        file="STM_{table}_{volume:02d}.txt",
        bad_events=(("-1,0000001/1,99-Foo-2025,SNOMED,38341003,Hypertensive disorder,,,0", "event_date"),),
    ),
)
