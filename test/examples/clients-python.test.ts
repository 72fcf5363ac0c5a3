import t from 'tap'
import { pauseMs, run, startRetryServer, toStatuses, findSkipReason } from '../fixtures/polite-server.js'

// What a program does that was given a client: it makes calls, and prints how each ended.
const PROGRAM = `
import sys
from concurrent.futures import ThreadPoolExecutor
from polite_client import PoliteClient
origin = sys.argv[1]
def told(call):
    try:
        return call().status
    except OSError as error:
        return type(error).__name__
client = PoliteClient(backoff=0.01, slow_below=0)
`

t.test('a polite client in Python', { skip: findSkipReason('python3') }, async (t) => {
  const { origin, seen } = await startRetryServer(t)

  async function python (...lines: readonly string[]): Promise<string> {
    const { stdout, stderr } = await run('python3', ['-c', PROGRAM + lines.join('\n'), origin])
    t.equal(stderr, '')
    return stdout.trim()
  }

  t.test('waits as long as it is told, by seconds or a date', async (t) => {
    t.equal(await python(
      'response = client.request("GET", origin + "/one")',
      'print(response.status, response.body)',
      'print(client.request("GET", origin + "/dated").status)'
    ), "200 b'hello'\n200")
    t.strictSame(toStatuses(seen('/one')), [200, 429, 200])
    t.ok(seen('/one')[1].retryAfterMs >= 1000 && pauseMs(seen('/one'), 1) >= seen('/one')[1].retryAfterMs)
    t.strictSame(toStatuses(seen('/dated')), [503, 200])
    t.ok(pauseMs(seen('/dated'), 0) >= 1000)
  })

  t.test('gives up where no wait helps, where it would be too long, and after enough requests', async (t) => {
    t.equal(await python(
      'for path in "/closed", "/hourly", "/down", "/silent":',
      '    print(told(lambda: PoliteClient(max_attempts=3, max_total=5 if path != "/silent" else 0.1).request("GET", origin + path)))'
    ), '429\n429\n503\nTimeoutError')
    t.equal(seen('/closed').length, 1)
    t.strictSame(toStatuses(seen('/hourly')), [200, 429])
    t.equal(seen('/down').length, 3)
  })

  t.test('repeats what failed, but not a POST that may have been processed', async (t) => {
    t.equal(await python(
      'text = {"Content-Type": "text/plain"}',
      'print(told(lambda: client.request("GET", origin + "/busy")))',
      'print(told(lambda: client.request("GET", origin + "/cut")))',
      'print(told(lambda: client.request("POST", origin + "/post", b"once", text)))',
      'print(told(lambda: client.request("POST", origin + "/cut-post", b"once", text)))',
      'print(told(lambda: client.request("POST", origin + "/one?post", b"refused", text)))',
      'print(told(lambda: client.request("POST", origin + "/post?keyed", b"keyed", {**text, "Idempotency-Key": "7"})))',
      'unsafe = PoliteClient(backoff=0.01, retry_unsafe=True, max_attempts=2)',
      'print(told(lambda: unsafe.request("POST", origin + "/post?told", b"told", text)))'
    ), '200\n200\n503\nRemoteDisconnected\n200\n503\n503')
    t.strictSame(toStatuses(seen('/busy')), [503, 503, 200])
    t.equal(seen('/post').length, 1)
    t.equal(seen('/one?post').at(-1)?.body, 'refused')
    t.strictSame(seen('/post?keyed').map(({ body }) => body), Array.from({ length: 5 }, () => 'keyed'))
    t.strictSame(seen('/post?told').map(({ body }) => body), ['told', 'told'])
  })

  t.test('slows down before it is refused, in either dialect and in several threads', async (t) => {
    await python(
      'polite = PoliteClient()',
      'def drain(path):',
      '    for _ in range(7):',
      '        polite.request("GET", origin + path)',
      'with ThreadPoolExecutor() as threads:',
      '    list(threads.map(drain, ["/five", "/draft"]))',
      '# One more at once than is left, unless they are spread.',
      'eager = PoliteClient(slow_below=1)',
      'eager.request("GET", origin + "/crowded")',
      'with ThreadPoolExecutor(5) as threads:',
      '    list(threads.map(lambda _: eager.request("GET", origin + "/crowded"), range(5)))'
    )
    for (const [path, sent] of [['/five', 7], ['/draft', 7], ['/crowded', 6]] as const) {
      t.strictSame(toStatuses(seen(path)), Array.from({ length: sent }, () => 200), path)
    }
  })
})
