"""The one call of LiteLLM that Resume Matcher makes, for machines without its 250 MB: the same arguments, real HTTP.

Tests put it in place only where LiteLLM itself is not installed.
"""

import json
import os
from types import SimpleNamespace

import httpx

telemetry, suppress_debug_info = True, False


async def acompletion(
    *,
    model,
    messages,
    response_format,
    temperature,
    max_tokens,
    timeout,  # noqa: ASYNC109  # the argument is LiteLLM's
    num_retries,
    max_retries,
    drop_params,
    stream,
):
    assert (stream, drop_params, num_retries, max_retries) == (True, True, 0, 0)
    body = {
        "model": model.removeprefix("openai/"),
        "messages": messages,
        "response_format": response_format,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "stream": True,
    }
    client = httpx.AsyncClient(base_url=os.environ["OPENAI_BASE_URL"], timeout=timeout)
    request = client.build_request(
        "POST",
        "chat/completions",
        json=body,
        headers={"authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"},
    )
    try:
        response = await client.send(request, stream=True)
        response.raise_for_status()
    except BaseException:
        await client.aclose()
        raise
    return _pieces(client, response)


async def _pieces(client, response):
    try:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                raw = json.loads(line.removeprefix("data: "))
                choices = [
                    SimpleNamespace(delta=SimpleNamespace(content=choice["delta"].get("content")))
                    for choice in raw["choices"]
                ]
                yield SimpleNamespace(choices=choices)
    finally:
        await response.aclose()
        await client.aclose()
