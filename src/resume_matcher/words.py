"""The application's codes in words, for pages and exports in the reader's language."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from babel.numbers import format_decimal

Gettext = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Words:
    """Each code and its words."""

    kinds: Mapping[str, str]
    offers: Mapping[str, str]
    states: Mapping[str, str]
    parts: Mapping[str, str]
    met: Mapping[str, str]
    requirement_kinds: Mapping[str, str]
    how: Mapping[str, str]
    confidence: Mapping[str, str]
    cautions: Mapping[str, str]
    languages: Mapping[str, str]
    degrees: Mapping[str, str]
    levels: Mapping[str, str]
    advice: Mapping[str, str]
    reasons: Mapping[str, str]
    llm_reasons: Mapping[str, str]
    application_states: Mapping[str, str]
    years: Callable[[Any], str]

    def label(self, item: Mapping[str, Any]) -> str:
        """What is asked, in words: a requirement of a result, or a gain or advice that speaks of one."""
        if item["kind"] == "language":
            language = self.languages.get(item["label"], item["label"])
            level = item.get("level", "")
            return f"{language} {self.levels.get(level, level)}".strip()
        if item["kind"] == "years" and item.get("years"):
            years = self.years(item["years"])
            return f"{years}: {item['label']}" if item["label"] else years
        return str(item["label"])

    def found(self, item: Mapping[str, Any]) -> str:
        """What the resume has of it, in words."""
        found = item.get("found", "")
        if not found:
            return ""
        if item["kind"] == "years" and item["how"] == "years":
            return self.years(found)
        if item["kind"] == "degree":
            return self.degrees.get(found, found)
        if item["kind"] == "language":
            return self.levels.get(found, self.languages.get(found, found))
        return str(found)

    def reason(self, reason: str | None, message: str | None) -> str:
        """Why an analysis failed or a file was refused; unknown reasons in the words they came with."""
        return self.reasons.get(reason or "", message or "")


def words(_: Gettext, language: str = "en") -> Words:
    """In the language of a translator, with its decimals."""
    return Words(
        kinds={"match": _("Match"), "analysis": _("Analysis"), "improvement": _("Improvement")},
        offers={
            "match": _("The score and which requirements are met"),
            "analysis": _("With the evidence for each requirement, and what would raise the score most"),
            "improvement": _("The analysis, and what to change in the resume for this job"),
        },
        states={"queued": _("waiting"), "working": _("at work"), "done": _("done"), "failed": _("failed")},
        parts={"must": _("Required"), "nice": _("Nice to have"), "duty": _("Part of the work")},
        met={"met": _("met"), "partly": _("partly"), "missing": _("missing")},
        requirement_kinds={
            "skill": _("Skill"),
            "text": _("Other"),
            "years": _("Experience"),
            "degree": _("Degree"),
            "language": _("Language"),
        },
        how={
            "exact": _("named"),
            "alias": _("named in other words"),
            "implied": _("follows from"),
            "similar": _("by likeness"),
            "years": _("by the dates"),
            "degree": _("by the education"),
            "language": _("by the language list"),
            "written": _("the resume is written in it"),
            "missing": "",
        },
        confidence={
            "high": _("high confidence"),
            "medium": _("medium confidence"),
            "low": _("low confidence"),
        },
        cautions={
            "thin_job": _("The posting asks for little, so the score is drawn to the middle."),
            "mixed_languages": _("Two languages are mixed; some words may not have been understood."),
            "different_languages": _(
                "Resume and posting are in different languages; only named skills are compared well."
            ),
            "no_work_found": _(
                "No stations of work were found in the resume, so years could not be counted."
            ),
            "by_likeness": _("Most of it rests on likeness of words, not on named skills."),
        },
        languages=_languages(_),
        degrees={
            "vocational": _("vocational training"),
            "bachelor": _("bachelor's degree"),
            "master": _("master's degree"),
            "doctorate": _("doctorate"),
        },
        levels={"native": _("native")},
        advice=_advice(_),
        reasons=_reasons(_),
        llm_reasons={
            "llm_time": _("It did not answer in time."),
            "llm_too_long": _("It answered too much."),
            "llm_shape": _("Its answer could not be read."),
            "llm_failed": _("It could not be reached, or refused."),
        },
        application_states={
            "saved": _("Saved"),
            "applied": _("Applied"),
            "interview": _("Interview"),
            "offer": _("Offer"),
            "accepted": _("Accepted"),
            "rejected": _("Rejected"),
            "withdrawn": _("Withdrawn"),
        },
        years=lambda count: (
            _("1 year")
            if float(count) == 1
            else _("%(count)s years") % {"count": format_decimal(float(count), "0.#", locale=language)}
        ),
    )


def _languages(_: Gettext) -> dict[str, str]:
    return {
        "de": _("German"), "en": _("English"), "fr": _("French"), "es": _("Spanish"), "it": _("Italian"), "pl": _("Polish"),
        "tr": _("Turkish"), "ru": _("Russian"), "pt": _("Portuguese"), "nl": _("Dutch"), "cs": _("Czech"), "uk": _("Ukrainian"),
        "ar": _("Arabic"), "zh": _("Chinese"), "ja": _("Japanese"), "ko": _("Korean"), "hi": _("Hindi"), "sv": _("Swedish"),
        "da": _("Danish"), "hu": _("Hungarian"), "ro": _("Romanian"), "el": _("Greek"),
    }  # fmt: skip


def _advice(_: Gettext) -> dict[str, str]:
    return {
        "add_if_true": _("If you have it, say so: in a station of work, with what you did with it."),
        "say_it_plainly": _("Something like it is there. Say it in the posting's own words."),
        "name_it": _("It follows from what you wrote, but is not named. Name it."),
        "use_their_word": _("You have it under another name. Use the posting's word beside yours."),
        "show_years": _("The dates do not show enough years. Name all stations in this field, with months."),
        "show_degree": _("Name the degree and where you got it, or an equal qualification."),
        "show_language": _("List the language with your level (A1 to C2)."),
        "list_language": _(
            "The resume is written in it, but the language list does not say so. Add it with its level."
        ),
        "no_email": _("There is no e-mail address."),
        "no_phone": _("There is no phone number."),
        "no_summary": _(
            "Two or three sentences on top would say at once what you are and what you look for."
        ),
        "no_skills": _("A list of your skills helps people and programs to find them."),
        "no_dates": _("No station of work has dates. Add from when to when."),
        "no_work": _("No stations of work were found. Use a heading such as 'Experience'."),
        "no_figures": _("No line of your work has a figure. Say how many, how much, how fast."),
        "long_lines": _("Some lines have more than 40 words. Shorten them."),
        "too_long": _("The resume is long. Two pages are read; ten are not."),
    }


def _reasons(_: Gettext) -> dict[str, str]:
    return {
        "empty": _("There is no text in it."),
        "scanned": _(
            "It is a scan: pictures of pages without text. Export it from the program it was written in."
        ),
        "password": _("It is protected by a password. Save a copy without one."),
        "too_large": _("It is too large to be a resume."),
        "too_many_pages": _("It has too many pages to be a resume."),
        "zip_bomb": _("It unpacks to far more than a resume has. Save it anew without pictures."),
        "damaged": _("The file is damaged. Save or print it once more."),
        "too_short": _("There is too little text in it to be a resume."),
        "too_long": _("There is more text in it than is read."),
        "unknown_kind": _("It is neither PDF nor DOCX nor text."),
        "old_word": _("It is an old Word file, or one with a password. Save it as DOCX or PDF."),
        "rtf": _("It is a rich text file. Save it as DOCX or PDF."),
        "image": _("It is a picture. Upload PDF, DOCX or text."),
        "html": _("It is a web page. Print it as PDF first."),
        "memory": _("It took more memory than an analysis may. Try a simpler file."),
        "time": _("It took longer than an analysis may. Nothing was charged."),
        "crashed": _("The work stopped without an answer. Nothing was charged; try again."),
        "defect": _("Something went wrong here. Nothing was charged; try again."),
        "no_requirements": _("The text asks for nothing that could be compared. Paste the whole posting."),
        "interrupted": _("The analysis was interrupted. Nothing was charged."),
        "hold_not_open": _("It waited too long for its turn. Nothing was charged."),
        "account_frozen": _("The account is frozen, so nothing could be charged."),
    }
