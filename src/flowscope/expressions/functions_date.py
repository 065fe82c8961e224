"""Dates. JSON has none, so a date is ISO 8601 text, or a number of milliseconds since 1970.

Nothing here reads a clock: `now()` is the moment `evaluate` was told, so an evaluation that is repeated says the same.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flowscope.errors import ExpressionError
from flowscope.expressions.catalogue import function
from flowscope.expressions.run import Run
from flowscope.expressions.values import JSON

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799_999  # the end of the year 9999
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})", re.ASCII)
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_MONTHS = [
    "",
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_MONTHS_IN = {"month": 1, "quarter": 3, "year": 12}


@function("now")
def now(run: Run) -> JSON:
    """The moment of the evaluation; the same when it is repeated after a crash."""
    if run.now is None:
        raise ExpressionError("now() is not known here")
    return _iso(_moment(run.now))


@function("toDate", "date", "text?", aliases=("toISO", "parseDate"))
def to_date(run: Run, date: str | float, zone: str = "") -> JSON:
    """As ISO text, in the zone."""
    return _iso(_in_zone(run, _moment(date), zone))


@function("toMillis", "date")
def to_millis(run: Run, date: str | float) -> JSON:
    """Milliseconds since 1970."""
    return (_moment(date) - _EPOCH) // timedelta(milliseconds=1)


@function("formatDate", "date", "text", "text?")
def format_date(run: Run, date: str | float, pattern: str, zone: str = "") -> JSON:
    """By `%Y %y %m %d %e %j %H %I %M %S %L %f %p %A %a %B %b %V %z %s %%`."""
    moment = _in_zone(run, _moment(date), zone)
    run.build(16 * len(pattern))
    return _DIRECTIVE.sub(lambda found: _directive(moment, found[1]), pattern)


@function("addTime", "date", "number", "text")
def add_time(run: Run, date: str | float, amount: float, unit: str) -> JSON:
    """Later, or earlier."""
    moment, unit = _moment(date), _unit(unit)
    try:
        if unit in _MONTHS_IN:
            if amount != int(amount):
                raise ExpressionError(f"addTime(): amount must be a whole number of {unit}s")
            return _iso(_add_months(moment, int(amount) * _MONTHS_IN[unit]))
        if unit == "millisecond":
            return _iso(moment + timedelta(milliseconds=amount))
        return _iso(moment + timedelta(seconds=amount * _SECONDS[unit]))
    except (OverflowError, ValueError):
        raise ExpressionError("addTime(): the result is outside the years 1 to 9999") from None


@function("diffTime", "date", "date", "text?")
def diff_time(run: Run, date: str | float, earlier: str | float, unit: str = "milliseconds") -> JSON:
    """How much lies between, in milliseconds unless told otherwise."""
    unit = _unit(unit)
    if unit in _MONTHS_IN:
        raise ExpressionError("diffTime(): months and years differ in length; count in days")
    difference = _moment(date) - _moment(earlier)
    if unit == "millisecond":
        return difference // timedelta(milliseconds=1)
    return difference / timedelta(seconds=_SECONDS[unit])


@function("startOf", "date", "text", "text?")
def start_of(run: Run, date: str | float, unit: str, zone: str = "") -> JSON:
    """The beginning of its day, week (Monday), month, …."""
    moment, unit = _in_zone(run, _moment(date), zone), _unit(unit)
    if unit == "week":
        try:
            moment -= timedelta(days=moment.weekday())
        except OverflowError:
            raise ExpressionError("startOf(): the result is outside the years 1 to 9999") from None
    smaller = {"microsecond": 0}
    if unit == "millisecond":
        return _iso(moment)
    for name in ("second", "minute", "hour"):
        if unit == name:
            return _iso(moment.replace(**smaller))  # type: ignore[arg-type]
        smaller[name] = 0
    moment = moment.replace(**smaller)  # type: ignore[arg-type]
    if unit in _MONTHS_IN:
        moment = moment.replace(day=1, month=(moment.month - 1) // _MONTHS_IN[unit] * _MONTHS_IN[unit] + 1)
    return _iso(moment)


@function("datePart", "date", "text", "text?")
def date_part(run: Run, date: str | float, part: str, zone: str = "") -> JSON:
    """One number of it: the year, the month, the weekday (Monday is 1) and so on."""
    moment = _in_zone(run, _moment(date), zone)
    parts = {
        "year": moment.year,
        "quarter": (moment.month + 2) // 3,
        "month": moment.month,
        "week": moment.isocalendar().week,
        "day": moment.day,
        "weekday": moment.isoweekday(),
        "hour": moment.hour,
        "minute": moment.minute,
        "second": moment.second,
        "millisecond": moment.microsecond // 1_000,
    }
    if part not in parts:
        raise ExpressionError(f"The part of a date is one of {', '.join(parts)}")
    return parts[part]


def _moment(date: str | float) -> datetime:
    if not isinstance(date, str):
        if not -62_135_596_800_000 <= date <= _LAST:
            raise ExpressionError("The date is outside the years 1 to 9999")
        return _EPOCH + timedelta(milliseconds=date)
    try:
        moment = datetime.fromisoformat(date.strip() if len(date) <= 64 else "")
        # Text without an offset is taken as UTC: the time zone of the machine must not matter.
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        raise ExpressionError("This text is not a date; write it as in 2026-01-31T12:00:00Z") from None


def _iso(moment: datetime) -> str:
    text = moment.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _in_zone(run: Run, moment: datetime, zone: str) -> datetime:
    if not zone:
        return moment
    run.spend(50)
    try:
        return moment.astimezone(_zone(zone))
    except OverflowError:
        raise ExpressionError("The date is outside the years 1 to 9999") from None


def _zone(name: str) -> tzinfo:
    if offset := _OFFSET.fullmatch(name):
        minutes = int(offset[2]) * 60 + int(offset[3])
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes))
    if len(name) <= 64 and _ZONE.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise ExpressionError("There is no such time zone; write one such as Europe/Paris, or +02:00")


def _unit(unit: str) -> str:
    single = unit.removesuffix("s")
    single = {"m": "minute", "h": "hour", "d": "day", "": "second", "w": "week", "y": "year"}.get(single, single)
    if unit == "ms" or single == "millisecond":
        return "millisecond"
    if single not in _SECONDS and single not in _MONTHS_IN:
        known = ", ".join(["milliseconds", *(f"{name}s" for name in (*_SECONDS, *_MONTHS_IN))])
        raise ExpressionError(f"The unit of time is one of {known}")
    return single


def _add_months(moment: datetime, months: int) -> datetime:
    """The same day of another month, or its last day: a month after 31 January is 28 February."""
    index = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(index, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _directive(moment: datetime, letter: str) -> str:
    """One `%x`, in English and without the machine's locale."""
    hour = (moment.hour + 11) % 12 + 1
    texts = {
        "Y": f"{moment.year:04}",
        "y": f"{moment.year % 100:02}",
        "m": f"{moment.month:02}",
        "d": f"{moment.day:02}",
        "e": str(moment.day),
        "j": f"{moment.timetuple().tm_yday:03}",
        "H": f"{moment.hour:02}",
        "I": f"{hour:02}",
        "M": f"{moment.minute:02}",
        "S": f"{moment.second:02}",
        "f": f"{moment.microsecond:06}",
        "L": f"{moment.microsecond // 1_000:03}",
        "p": "AM" if moment.hour < 12 else "PM",
        "A": _DAYS[moment.weekday()],
        "a": _DAYS[moment.weekday()][:3],
        "B": _MONTHS[moment.month],
        "b": _MONTHS[moment.month][:3],
        "V": f"{moment.isocalendar().week:02}",
        "z": moment.strftime("%z"),
        "s": str((moment - _EPOCH) // timedelta(seconds=1)),
        "%": "%",
    }
    if letter not in texts:
        raise ExpressionError(f"formatDate(): %{letter} is not known; there are %{', %'.join(texts)}")
    return texts[letter]
