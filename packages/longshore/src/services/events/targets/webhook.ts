import type { HttpParameters } from '@aws-sdk/client-eventbridge';
import { done, type Outcome } from './attempt.ts';

/** As API destinations have it (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html). */
const timeoutMs = 5_000;
const worthRetrying: ReadonlySet<number> = new Set([401, 407, 408, 409, 425, 429]);
/** Headers that are the connection's own. */
const ownHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** POSTs the payload. Any 2xx is success; redirects are not followed. */
export async function callWebhook(
  url: URL,
  delivery: { readonly event_id: string; readonly payload: string },
  parameters: HttpParameters | undefined,
): Promise<Outcome> {
  const headers = new Headers({
    'content-type': 'application/json; charset=utf-8',
    'user-agent': 'Longshore/EventBridge',
    'x-amz-event-id': delivery.event_id,
  });
  try {
    for (const [name, value] of Object.entries(parameters?.HeaderParameters ?? {})) {
      if (!ownHeaders.has(name.toLowerCase())) headers.set(name, value);
    }
    const response = await fetch(withParameters(url, parameters), {
      method: 'POST',
      headers,
      body: delivery.payload,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    if (response.ok) return done;
    const reason = `it answered ${response.status}`;
    if (response.status < 500 && !worthRetrying.has(response.status)) return { kind: 'never', reason };
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    return seconds > 0 ? { kind: 'again', reason, afterMs: seconds * 1_000 } : { kind: 'again', reason };
  } catch (error) {
    const { message, cause, name } = error as Error & { cause?: { code?: string } };
    if (name === 'TimeoutError') return { kind: 'again', reason: `it did not answer in ${timeoutMs} ms` };
    return { kind: 'again', reason: cause?.code ?? message };
  }
}

/** The address with its stars replaced by path values and with further query parameters. */
function withParameters(url: URL, parameters: HttpParameters | undefined): URL {
  const whole = new URL(url);
  const values = [...(parameters?.PathParameterValues ?? [])];
  whole.pathname = whole.pathname.replaceAll('*', (star) => {
    const value = values.shift();
    return value === undefined ? star : encodeURIComponent(value);
  });
  for (const [name, value] of Object.entries(parameters?.QueryStringParameters ?? {})) {
    whole.searchParams.append(name, value);
  }
  return whole;
}
