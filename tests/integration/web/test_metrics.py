"""The web's figures for Prometheus are the process's and the database's, in one answer."""

from prometheus_client.parser import text_string_to_metric_families


async def test_metrics_have_the_figures_of_process_and_database(web) -> None:
    await web.open("user-1", 70)
    reader = web.client(await web.key("reports:read"))
    answer = await reader.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family.samples for family in text_string_to_metric_families(answer.text)}
    assert families["heller_up"][0].value == 1
    assert families["heller_credits_owed"][0].value == 70
    assert "process_cpu_seconds" in families
