"""Does the mock answer as the vendors' own clients expect?

    python official_clients.py http://127.0.0.1:8000

Needs the packages `anthropic` and `openai`, and a mock started with `llmlab mock`. Each function below is a
check and its docstring the claim; the exit code says whether all of them hold.
"""

import asyncio
import json
import sys
import traceback
import urllib.request

import anthropic
import openai

URL = sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8000"
CLAUDE = "claude-sonnet-4-6"
GPT = "gpt-4o"
HELLO = [{"role": "user", "content": "Hello"}]
# Past the shortest prefix that either vendor caches.
LONG = "All work and no play makes Jack a dull boy. " * 400
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
}


def claude(**options):
    return anthropic.Anthropic(base_url=URL, api_key="any", **options)


def gpt(**options):
    return openai.OpenAI(base_url=f"{URL}/v1", api_key="any", **options)


def control(path, body=None):
    """Asks the mock's control endpoints."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{URL}/_mock/{path}", data=data), timeout=10) as response:
        return json.load(response)


def raised(kind, call):
    """The exception of that kind that `call` raises."""
    try:
        result = call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} expected, got {result!r}")


def anthropic_message_has_text_usage_and_request_id():
    """A message that is not streamed has text, usage, a stop reason and the request's id."""
    message = claude().messages.create(model=CLAUDE, max_tokens=16, messages=HELLO)
    assert message.type == "message" and message.role == "assistant" and message.model == CLAUDE, message
    assert [block.type for block in message.content] == ["text"] and message.content[0].text, message
    assert message.stop_reason == "max_tokens", message
    assert message.usage.input_tokens > 0 and message.usage.output_tokens == 16, message.usage
    assert message.id.startswith("msg_") and message._request_id.startswith("req_"), message


def anthropic_stream_accumulates_to_its_final_message():
    """The helper's text deltas are the text of the final message, whose usage counts every token."""
    with claude().messages.stream(model=CLAUDE, max_tokens=32, messages=HELLO) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 1 and "".join(pieces) == final.content[0].text, (pieces, final)
    assert final.usage.output_tokens == 32 and final.usage.input_tokens > 0, final.usage
    assert final.stop_reason == "max_tokens", final


def anthropic_events_come_in_the_documented_order():
    """The raw events are message_start, the block's, message_delta and message_stop, in that order."""
    events = list(claude().messages.create(model=CLAUDE, max_tokens=8, messages=HELLO, stream=True))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"], kinds
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"], kinds
    assert set(kinds[2:-3]) == {"content_block_delta"}, kinds
    # The API's first usage is not yet the whole; the last one is cumulative.
    assert events[0].message.usage.output_tokens <= events[-2].usage.output_tokens == 8, events[-2]


def anthropic_async_client_streams_many_at_once():
    """The asynchronous client streams eight answers side by side."""

    async def one(client, number):
        messages = [{"role": "user", "content": f"Question {number}"}]
        async with client.messages.stream(model=CLAUDE, max_tokens=16, messages=messages) as stream:
            return await stream.get_final_message()

    async def all_of_them():
        async with anthropic.AsyncAnthropic(base_url=URL, api_key="any") as client:
            return await asyncio.gather(*(one(client, number) for number in range(8)))

    answers = asyncio.run(all_of_them())
    assert len({answer.id for answer in answers}) == 8, answers
    assert all(answer.usage.output_tokens == 16 for answer in answers), answers


def anthropic_thinking_with_a_budget_comes_before_text():
    """Thinking with a budget is a signed block before the text, in streams and out of them."""
    options = dict(model=CLAUDE, max_tokens=2048, thinking={"type": "enabled", "budget_tokens": 1024}, messages=HELLO)
    with claude().messages.stream(**options) as stream:
        deltas = [event.delta.type for event in stream if event.type == "content_block_delta"]
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text"], final
    assert final.content[0].thinking and final.content[0].signature, final.content[0]
    assert {"thinking_delta", "signature_delta", "text_delta"} == set(deltas), set(deltas)
    # The answer goes back unchanged, as the API asks for.
    again = HELLO + [{"role": "assistant", "content": final.content}, {"role": "user", "content": "Go on"}]
    whole = claude().messages.create(**{**options, "messages": again})
    assert [block.type for block in whole.content] == ["thinking", "text"], whole


def anthropic_adaptive_thinking_is_answered():
    """Adaptive thinking, with its text summarized or left out, has a signed thinking block."""
    for display in ("summarized", "omitted"):
        thinking = {"type": "adaptive", "display": display}
        with claude().messages.stream(model=CLAUDE, max_tokens=512, thinking=thinking, messages=HELLO) as stream:
            final = stream.get_final_message()
        assert [block.type for block in final.content] == ["thinking", "text"], final
        assert bool(final.content[0].thinking) == (display == "summarized"), (display, final.content[0])
        assert final.content[0].signature, final.content[0]


def anthropic_tool_use_has_parsed_input_and_takes_its_result():
    """A tool is called with input that its schema allows; the result ends the loop."""
    tools = [{"name": "get_weather", "description": "The weather", "input_schema": WEATHER}]
    options = dict(model=CLAUDE, max_tokens=256, tools=tools)
    with claude().messages.stream(**options, messages=HELLO) as stream:
        partial = [event.partial_json for event in stream if event.type == "input_json"]
        final = stream.get_final_message()
    assert final.stop_reason == "tool_use", final
    call = final.content[-1]
    assert call.type == "tool_use" and call.name == "get_weather" and call.id.startswith("toolu_"), call
    assert isinstance(call.input["city"], str) and call.input["unit"] in ("celsius", "fahrenheit"), call.input
    assert json.loads("".join(partial)) == call.input, partial
    whole = claude().messages.create(**options, messages=HELLO)
    assert whole.content[-1].input.keys() == call.input.keys(), whole
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "Sunny"}]}
    rest = HELLO + [{"role": "assistant", "content": final.content}, {"role": "user", "content": [result]}]
    end = claude().messages.create(**options, messages=rest)
    assert [block.type for block in end.content] == ["text"] and end.stop_reason != "tool_use", end


def anthropic_prompt_cache_is_written_then_read():
    """The first request with a breakpoint writes the prefix, the second reads it, and pre-warming counts."""
    control("cache/clear", {})
    for ttl, other in (("5m", "ephemeral_1h_input_tokens"), ("1h", "ephemeral_5m_input_tokens")):
        marked = {"type": "text", "text": ttl + LONG, "cache_control": {"type": "ephemeral", "ttl": ttl}}
        options = dict(model=CLAUDE, system=[marked], messages=HELLO)
        # A request for no token at all fills the cache.
        warm = claude().messages.create(**options, max_tokens=0)
        assert warm.content == [] and warm.usage.output_tokens == 0, warm
        first = warm.usage
        assert first.cache_creation_input_tokens > 1024 and first.cache_read_input_tokens == 0, first
        assert getattr(first.cache_creation, other) == 0, first
        with claude().messages.stream(**options, max_tokens=8) as stream:
            second = stream.get_final_message().usage
        assert second.cache_read_input_tokens == first.cache_creation_input_tokens, (first, second)
        assert second.cache_creation_input_tokens == 0 and second.input_tokens > 0, second


def anthropic_errors_are_retried_then_succeed():
    """Status 429, 529, 500 and a closed connection are tried again, with what the server asked to wait."""
    faults = [
        {"kind": "status", "status": 529},
        {"kind": "status", "status": 429, "retry_after_s": 0},
        {"kind": "status", "status": 500},
        {"kind": "close"},
    ]
    for fault in faults:
        control("faults", [fault])
        message = claude(max_retries=1).messages.create(model=CLAUDE, max_tokens=4, messages=HELLO)
        assert message.usage.output_tokens == 4 and control("state")["faults"] == 0, fault


def anthropic_errors_are_of_the_documented_classes():
    """Without retries, each status raises its class, with the API's words and the request's id."""
    for status, kind, word in [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.APIStatusError, "overloaded_error"),
    ]:
        control("faults", [{"kind": "status", "status": status}])
        ask = lambda: claude(max_retries=0).messages.create(model=CLAUDE, max_tokens=4, messages=HELLO)
        error = raised(kind, ask)
        assert error.status_code == status and error.body["error"]["type"] == word, (status, error.body)
        assert error.request_id.startswith("req_"), error.request_id


def anthropic_bad_requests_name_the_field():
    """A request that the API would refuse is refused with status 400 and a message about the fault."""
    missing = raised(anthropic.BadRequestError, lambda: claude().post("/v1/messages", body={"model": CLAUDE}, cast_to=object))
    assert "max_tokens" in str(missing) or "messages" in str(missing), missing
    marked = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}] * 5
    five = raised(
        anthropic.BadRequestError,
        lambda: claude().messages.create(model=CLAUDE, max_tokens=4, system=marked, messages=HELLO),
    )
    assert "cache_control" in five.body["error"]["message"], five.body


def anthropic_errors_inside_a_stream_are_raised():
    """An error event after some text raises APIStatusError; a cut stream never looks complete."""

    def streamed(fault):
        control("faults", [fault])
        with claude(max_retries=0).messages.stream(model=CLAUDE, max_tokens=64, messages=HELLO) as stream:
            return stream.get_final_message()

    error = raised(anthropic.APIStatusError, lambda: streamed({"kind": "error", "after_events": 4}))
    assert error.body["error"]["message"], error.body
    raised(Exception, lambda: streamed({"kind": "cut", "after_events": 4}))


def openai_completion_has_text_and_usage():
    """A completion that is not streamed has text, usage and a finish reason."""
    completion = gpt().chat.completions.create(model=GPT, max_completion_tokens=16, messages=HELLO)
    choice = completion.choices[0]
    assert completion.object == "chat.completion" and completion.model == GPT, completion
    assert choice.message.role == "assistant" and choice.message.content and choice.finish_reason == "length", choice
    usage = completion.usage
    assert usage.completion_tokens == 16 and usage.total_tokens == usage.prompt_tokens + 16, usage
    assert completion._request_id.startswith("req_"), completion._request_id


def openai_stream_accumulates_and_ends_with_usage():
    """Deltas add up; usage comes in a last chunk without choices, and only if asked for."""
    options = dict(model=GPT, max_tokens=32, messages=HELLO, stream=True)
    chunks = list(gpt().chat.completions.create(**options, stream_options={"include_usage": True}))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text and chunks[0].choices[0].delta.role == "assistant", chunks[0]
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 32, chunks[-1]
    assert all(chunk.usage is None for chunk in chunks[:-1]), chunks
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert reasons == ["length"], reasons
    plain = list(gpt().chat.completions.create(**options))
    assert all(chunk.usage is None for chunk in plain) and plain[-1].choices, plain[-1]


def openai_stream_helper_accumulates():
    """The client's own accumulation of a stream gives the whole completion."""
    with gpt().chat.completions.stream(model=GPT, messages=HELLO, stream_options={"include_usage": True}) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == final.choices[0].message.content and len(deltas) > 1, deltas
    assert final.choices[0].finish_reason == "stop" and final.usage.completion_tokens > 0, final


def openai_async_client_streams_many_at_once():
    """The asynchronous client streams eight answers side by side."""

    async def one(client, number):
        messages = [{"role": "user", "content": f"Question {number}"}]
        stream = await client.chat.completions.create(model=GPT, max_tokens=16, messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key="any") as client:
            return await asyncio.gather(*(one(client, number) for number in range(8)))

    assert all(asyncio.run(all_of_them()))


def openai_tool_calls_have_json_arguments_and_take_their_result():
    """A function is called with arguments that its schema allows; the result ends the loop."""
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]
    options = dict(model=GPT, max_tokens=256, tools=tools)
    whole = gpt().chat.completions.create(**options, messages=HELLO)
    assert whole.choices[0].finish_reason == "tool_calls", whole
    call = whole.choices[0].message.tool_calls[0]
    assert call.type == "function" and call.function.name == "get_weather" and call.id, call
    arguments = json.loads(call.function.arguments)
    assert isinstance(arguments["city"], str) and arguments["unit"] in ("celsius", "fahrenheit"), arguments
    with gpt().chat.completions.stream(**options, messages=HELLO) as stream:
        final = stream.get_final_completion().choices[0]
    streamed = final.message.tool_calls[0]
    assert final.finish_reason == "tool_calls" and json.loads(streamed.function.arguments).keys() == arguments.keys(), final
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny"}
    rest = HELLO + [whole.choices[0].message.model_dump(exclude_none=True), result]
    end = gpt().chat.completions.create(**options, messages=rest)
    assert end.choices[0].message.content and not end.choices[0].message.tool_calls, end


def openai_second_call_reads_cached_tokens():
    """The automatic prompt cache shows in the usage of the second call, in steps of 128 tokens."""
    control("cache/clear", {})
    messages = [{"role": "system", "content": LONG}, *HELLO]
    options = dict(model=GPT, max_tokens=4, messages=messages)
    first = gpt().chat.completions.create(**options).usage
    second = gpt().chat.completions.create(**options).usage
    assert first.prompt_tokens_details.cached_tokens == 0, first
    cached = second.prompt_tokens_details.cached_tokens
    assert cached >= 1024 and cached % 128 == 0 and cached <= second.prompt_tokens == first.prompt_tokens, second


def openai_reasoning_tokens_are_counted():
    """A reasoning model's hidden tokens are part of the output and counted on their own."""
    options = dict(model="gpt-5", reasoning_effort="high", max_completion_tokens=256, messages=HELLO)
    usage = gpt().chat.completions.create(**options).usage
    reasoning = usage.completion_tokens_details.reasoning_tokens
    assert 0 < reasoning < usage.completion_tokens <= 256, usage


def openai_errors_are_retried_then_succeed():
    """Status 429, 503 and a closed connection are tried again."""
    faults = [
        {"kind": "status", "status": 429, "retry_after_s": 0},
        {"kind": "status", "status": 503},
        {"kind": "close"},
    ]
    for fault in faults:
        control("faults", [fault])
        completion = gpt(max_retries=1).chat.completions.create(model=GPT, max_tokens=4, messages=HELLO)
        assert completion.usage.completion_tokens == 4 and control("state")["faults"] == 0, fault


def openai_errors_are_of_the_documented_classes():
    """Without retries, each status raises its class with a message."""
    for status, kind in [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ]:
        control("faults", [{"kind": "status", "status": status}])
        ask = lambda: gpt(max_retries=0).chat.completions.create(model=GPT, max_tokens=4, messages=HELLO)
        error = raised(kind, ask)
        assert error.status_code == status and error.body["message"] and error.type, (status, error.body)
        assert error.request_id.startswith("req_"), error.request_id


def openai_errors_inside_a_stream_are_raised():
    """An error after some text raises APIError; a cut stream never looks complete."""

    def streamed(fault):
        control("faults", [fault])
        return list(gpt(max_retries=0).chat.completions.create(model=GPT, max_tokens=64, messages=HELLO, stream=True))

    error = raised(openai.APIError, lambda: streamed({"kind": "error", "after_events": 4}))
    assert error.message, error
    raised(Exception, lambda: streamed({"kind": "cut", "after_events": 4}))


def openai_older_completions_have_text_and_usage_streamed_or_not():
    """A prompt is continued, in one piece or in several with the usage in a last one."""
    options = dict(model=GPT, prompt="Once upon a time", max_tokens=16)
    whole = gpt().completions.create(**options)
    choice = whole.choices[0]
    assert whole.object == "text_completion" and whole.id.startswith("cmpl-"), whole
    assert choice.text and choice.finish_reason == "length" and whole.usage.completion_tokens == 16, whole
    chunks = list(gpt().completions.create(**options, stream=True, stream_options={"include_usage": True}))
    pieces = [choice.text for chunk in chunks for choice in chunk.choices]
    assert len("".join(pieces)) == len(choice.text) and len(pieces) > 2, pieces
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 16, chunks[-1]


def openai_models_are_listed():
    """The list of models names what the mock knows the rules of."""
    models = {model.id for model in gpt().models.list()}
    assert {GPT, CLAUDE} <= models, models


def main():
    checks = [check for name, check in globals().items() if name.startswith(("anthropic_", "openai_"))]
    print(f"anthropic {anthropic.__version__}, openai {openai.__version__}, mock at {URL}")
    failed = 0
    for check in checks:
        control("reset", {})
        try:
            check()
        except Exception:
            failed += 1
            print(f"FAILED {check.__name__}: {check.__doc__}\n{traceback.format_exc()}")
        else:
            print(f"ok     {check.__name__}")
    print(f"{len(checks) - failed} of {len(checks)} hold")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
