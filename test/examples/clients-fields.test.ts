import { readFileSync } from 'node:fs'
import t from 'tap'
import { retryAfterMs, standingsOf } from '../../examples/clients/rate-limit-fields.js'
import { run, findSkipReason } from '../fixtures/polite-server.js'

interface Case {
  readonly why: string
  readonly headers: Readonly<Record<string, string>>
  /** Units left, units of the whole, seconds. */
  readonly standings: ReadonlyArray<readonly [remaining: number, quota: number | null, resetSeconds: number]>
  readonly retryAfter?: number | null
}

const cases = JSON.parse(readFileSync('test/vectors/rate-limit-fields.json', 'utf8')) as readonly Case[]
const expected = cases.map(({ standings, retryAfter = null }) => ({ standings, retryAfter }))

// What the field table is to be read with in Python.
const PYTHON = `
import json, sys
from email.message import Message
from rate_limit_fields import retry_after_seconds, standings_of
answers = []
for case in json.load(open(sys.argv[1])):
    headers = Message()
    for name, value in case["headers"].items():
        headers[name] = value
    answers.append({"standings": standings_of(headers), "retryAfter": retry_after_seconds(headers)})
print(json.dumps(answers))
`

t.test('JavaScript reads what headers say about limits', async (t) => {
  for (const [index, { why, headers }] of cases.entries()) {
    const fields = new Headers(headers)
    const toldMs = retryAfterMs(fields)
    t.strictSame({
      standings: standingsOf(fields).map(({ remaining, quota, resetMs }) => [remaining, quota, resetMs / 1000]),
      retryAfter: toldMs === null ? null : toldMs / 1000
    }, expected[index], why)
  }
})

t.test('Python reads the same', { skip: findSkipReason('python3') }, async (t) => {
  const { stdout, stderr } = await run('python3', ['-c', PYTHON, '../../test/vectors/rate-limit-fields.json'])
  t.equal(stderr, '')
  const answers = JSON.parse(stdout) as readonly unknown[]
  for (const [index, { why }] of cases.entries()) t.strictSame(answers[index], expected[index], why)
})

t.test('a time to come, in seconds since 1970, is counted from now', async (t) => {
  const at = Math.ceil(Date.now() / 1000) + 60
  const [{ resetMs }] = standingsOf(new Headers({ 'x-ratelimit-remaining': '1', 'x-ratelimit-reset': String(at) }))
  t.ok(resetMs > 0 && resetMs <= 61_000)
})

t.test('a field on several lines is one list', { skip: findSkipReason('python3') }, async (t) => {
  const headers = new Headers([['ratelimit', '"a";r=1;t=2'], ['ratelimit', '"b";r=3;t=4']])
  t.equal(standingsOf(headers).length, 2)
  const { stdout } = await run('python3', ['-c', `
from email.message import Message
from rate_limit_fields import standings_of
headers = Message()
headers["RateLimit"] = '"a";r=1;t=2'
headers["RateLimit"] = '"b";r=3;t=4'
print(len(standings_of(headers)))`])
  t.equal(stdout.trim(), '2')
})
