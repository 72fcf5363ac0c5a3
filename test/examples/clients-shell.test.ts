import { spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { pauseMs, run, startRetryServer, toStatuses, findSkipReason, type ProcessResult } from '../fixtures/polite-server.js'

// `%{method}`, by which the script tells what may be repeated.
const hasMethod = /\b(7\.(7[2-9]|[89]\d)|[89]|\d\d)\b/.test(spawnSync('curl', ['--version'], { encoding: 'utf8' }).stdout ?? '')

t.test('a polite curl', { skip: findSkipReason('curl') || (hasMethod ? false : 'curl is older than 7.72') }, async (t) => {
  const { origin, seen } = await startRetryServer(t)
  const polite = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ProcessResult> => run('sh', ['polite-curl.sh', ...args], { POLITE_BACKOFF: '0', ...env })
  const post = ['-H', 'content-type: text/plain', '-d']

  t.test('waits as long as it is told', async (t) => {
    t.strictSame(await polite([`${origin}/one`]), { code: 0, stdout: 'hello', stderr: '' })
    t.strictSame(toStatuses(seen('/one')), [200, 429, 200])
    t.ok(seen('/one')[1].retryAfterMs >= 1000 && pauseMs(seen('/one'), 1) >= seen('/one')[1].retryAfterMs)
  })

  t.test('reads a date by the clock of the server', async (t) => {
    t.strictSame(await polite([`${origin}/dated`]), { code: 0, stdout: 'hello', stderr: '' })
    t.strictSame(toStatuses(seen('/dated')), [503, 200])
    t.ok(pauseMs(seen('/dated'), 0) >= 1000)
  })

  t.test('gives up where no wait helps, and where it would be too long', async (t) => {
    const { code, stdout } = await polite([`${origin}/closed`])
    t.equal(code, 22)
    t.match(JSON.parse(stdout), { title: 'Quota Exceeded' })
    t.equal(seen('/closed').length, 1)
    t.equal((await polite([`${origin}/hourly`])).code, 22)
    t.equal((await polite([`${origin}/hourly`], { POLITE_WAIT: '4000' })).code, 22, 'the total is shorter')
    t.strictSame(toStatuses(seen('/hourly')), [200, 429, 429])
  })

  t.test('repeats what failed, a bounded number of times', async (t) => {
    t.equal((await polite([`${origin}/busy`])).stdout, 'hello')
    t.strictSame(toStatuses(seen('/busy')), [503, 503, 200])
    t.match(await polite([`${origin}/cut`]), { code: 0, stdout: 'hello' })
    t.match(await polite([`${origin}/down`], { POLITE_ATTEMPTS: '3' }), { code: 22, stdout: 'down' })
    t.equal(seen('/down').length, 3)
  })

  t.test('does not repeat a POST that may have been processed', async (t) => {
    t.match(await polite([...post, 'once', `${origin}/post`]), { code: 22, stdout: 'perhaps done' })
    t.equal(seen('/post').length, 1)
    t.equal((await polite([...post, 'once', `${origin}/cut-post`])).code, 52)
    await polite([...post, 'told', `${origin}/post?told`], { POLITE_UNSAFE: '1', POLITE_ATTEMPTS: '2' })
    t.strictSame(seen('/post?told').map(({ body }) => body), ['told', 'told'])
    t.match(await polite([...post, 'refused', `${origin}/one?post`]), { code: 0, stdout: 'hello' }, 'a refused one is sent again')
    t.equal(seen('/one?post').at(-1)?.body, 'refused')
  })

  t.test("ends with curl's own code where nobody answers, and where the call is wrong", async (t) => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    server.close()
    t.equal((await polite([`http://127.0.0.1:${port}/`], { POLITE_ATTEMPTS: '2' })).code, 7)
    t.equal((await polite(['--no-such-option', origin])).code, 2)
  })

  // The arithmetic of dates, on days that are easy to get wrong.
  for (const [date, due, seconds] of [
    ['Wed, 28 Feb 2024 23:59:59 GMT', 'Thu, 29 Feb 2024 00:00:00 GMT', 1],
    ['Thu, 29 Feb 2024 23:59:59 GMT', 'Fri, 01 Mar 2024 00:00:00 GMT', 1],
    ['Sun, 28 Feb 2100 23:59:59 GMT', 'Mon, 01 Mar 2100 00:00:00 GMT', 1],
    ['Tue, 31 Dec 2024 23:59:59 GMT', 'Wed, 01 Jan 2025 00:00:00 GMT', 1]
  ] as const) {
    t.test(`from ${date} to ${due} is ${seconds} s`, async (t) => {
      const path = `/told?${new URLSearchParams({ date, due })}`
      // One second is too long for it, and none is not.
      t.equal((await polite([origin + path], { POLITE_WAIT: String(seconds - 1), POLITE_ATTEMPTS: '2' })).code, 22)
      t.equal(seen(path).length, 1)
      t.equal((await polite([origin + path], { POLITE_WAIT: String(seconds), POLITE_ATTEMPTS: '2' })).code, 22)
      t.equal(seen(path).length, 3)
    })
  }
})
