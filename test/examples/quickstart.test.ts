import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import t, { type Test } from 'tap'

// On a free port, so that it runs beside anything.
function start (t: Test, ...args: readonly string[]) {
  const example = spawn(process.execPath, ['examples/quickstart/index.js', ...args], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => example.kill('SIGKILL'))
  return example
}

/** What is printed until the text appears, or the end. */
async function readUntil (output: Readable, awaited: string): Promise<string> {
  let text = ''
  for await (const chunk of output.setEncoding('utf8')) {
    text += chunk
    if (text.includes(awaited)) break
  }
  return text
}

t.test('the quickstart with --once shows what was refused, and ends well when the limits held', async (t) => {
  const example = start(t, '--once')
  const exit = once(example, 'exit')
  const text = (await example.stdout.setEncoding('utf8').toArray()).join('')
  t.strictSame(await exit, [0, null])

  const rows: ReadonlyArray<readonly [request: string, sent: number, least: number, status: number, limit: string, why: string]> = [
    ['GET /', 12, 12, 200, '', 'all within the default limit of 20'],
    ['POST /login', 8, 5, 200, 'default', "the route's own limit"],
    ['GET /report', 5, 3, 200, 'default', 'each takes 10 of 30 units'],
    ['GET /search', 8, 5, 200, 'burst', 'the hourly limit has room for all'],
    ['GET /no/such/page', 12, 8, 404, 'default', 'GET / has left 8 of 20']
  ]
  for (const [request, sent, least, status, limit, why] of rows) {
    const cells = text.split('\n').map((line) => line.split(/ {3,}/)).find(([first]) => first === request) ?? []
    const allowed = Number(cells[3]?.match(/^(\d+) \((\d+)\)$/)?.[1])
    t.equal(cells[2], String(sent), `${request}: ${why}`)
    t.ok(allowed >= least, `${request}: ${allowed} allowed`) // on a slow machine a bucket gains units meanwhile
    t.equal(cells[3], `${allowed} (${status})`)
    if (limit === '') continue
    t.equal(cells[4], `${sent - allowed} (429)`)
    t.equal(cells[5], `limit '${limit}'`)
    t.match(cells[6], /^[1-9]\d* s$/)
  }
  t.match(text, /after the 1 s it was told to wait: 200/)
  t.match(text, 'application/problem+json')
})

t.test('the quickstart goes on serving until it is told to end', async (t) => {
  const example = start(t)
  const text = await readUntil(example.stdout, 'Ctrl-C ends it.')
  const origin = text.match(/Serving on (http:\/\/[\d.:]+)\./)?.[1]
  t.equal((await fetch(`${origin}/health`)).status, 200)
  const page = await fetch(/http:\S+\/page/.exec(text)?.[0] ?? '')
  t.match(await page.text(), '<title>Rate limits</title>')

  const exit = once(example, 'exit')
  example.kill('SIGTERM')
  t.strictSame(await exit, [0, null])
})
