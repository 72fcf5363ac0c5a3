import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import { rateLimitPlugin, type RateLimitOptions } from '../../../lib/index.js'
import { checkOptions } from '../../../lib/config/schema/check.js'
import { checkRecordOptions, RecordSchema } from '../../../lib/config/schema/record-schema.js'
import { ManualClock } from '../../../lib/testing/index.js'

const START = '2026-01-31T13:00:00Z'

interface LogLine {
  readonly level: number
  readonly msg: string
  readonly source?: string
  readonly err?: { readonly message: string }
}

/** Send requests to an application that records, and close it. Returns the lines of its log about that. */
async function record (t: Pick<Test, 'equal'>, options: RateLimitOptions, requests: number, path = '/items/7?secret=1'): Promise<readonly LogLine[]> {
  const lines: LogLine[] = []
  const app = fastify({ logger: { level: 'error', stream: { write: (line: string) => { lines.push(JSON.parse(line) as LogLine) } } } })
  await app.register(rateLimitPlugin, { max: 1_000_000, clock: new ManualClock(START), metrics: false, ...options })
  app.get('/items/:id', async () => 'ok')
  for (let sent = 0; sent < requests; sent++) t.equal((await app.inject(path)).statusCode, 200)
  await app.close()
  return lines.filter(({ source }) => source === 'record')
}

function readLines (file: string): Array<Record<string, unknown>> {
  return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>)
}

t.test('a line has what the decision depended on, and no client in clear', async (t) => {
  const file = join(t.testdir(), 'decisions.jsonl')
  const custom = ({ headers }: { headers: Record<string, unknown> }) => headers.none === undefined ? { id: '42', tier: 'premium' } : null
  t.strictSame(await record(t, { record: { file }, cost: () => 3, identify: { custom }, tiers: { premium: { max: 1_000_000 } } }, 2), [])
  const [first, second, ...more] = readLines(file)
  t.strictSame([second, more], [first, []])
  t.match(first, {
    time: Date.parse(START) * 1000,
    address: /^ip#[\da-f]{16}$/,
    user: /^user#[\da-f]{16}$/,
    tier: 'premium',
    method: 'GET',
    url: '/items/7',
    route: '/items/:id',
    cost: 3,
    outcome: 'allowed',
    scope: 'default'
  })
  t.equal(statSync(file).mode & 0o777, 0o600)
})

t.test('one secret gives a client the same hash in two processes, and hashClients: false none', async (t) => {
  const folder = t.testdir()
  const hashSecret = 'x'.repeat(16)
  const addresses: unknown[] = []
  for (const [name, settings] of [['a', { hashSecret }], ['b', { hashSecret }], ['c', {}], ['d', { hashClients: false }]] as const) {
    const file = join(folder, name)
    await record(t, { record: { file, ...settings } }, 1)
    addresses.push(readLines(file)[0].address)
  }
  const [a, b, c, d] = addresses
  t.equal(a, b)
  t.not(a, c)
  t.equal(d, '127.0.0.1')
})

t.test('an unknown URL is recorded with its status', async (t) => {
  const file = join(t.testdir(), 'decisions.jsonl')
  const app = fastify()
  await app.register(rateLimitPlugin, { record: { file }, metrics: false })
  await app.inject('/none')
  await app.close()
  t.match(readLines(file), [{ url: '/none', status: 404, route: undefined }])
})

t.test('an existing file is kept, and a cut line in it ends before the new ones', async (t) => {
  const file = join(t.testdir({ 'decisions.jsonl': '{"old":1}\n{"cut":' }), 'decisions.jsonl')
  await record(t, { record: { file } }, 1)
  t.match(readFileSync(file, 'utf8'), /^\{"old":1\}\n\{"cut":\n\{"time":.+\}\n$/)
})

t.test('the recording stops before the file is too large, which is one line of the log', async (t) => {
  const file = join(t.testdir(), 'decisions.jsonl')
  writeFileSync(file, 'x'.repeat(65_500))
  const lines = await record(t, { record: { file, maxBytes: 65_536 } }, 3)
  t.match(lines, [{ msg: 'rate limit: record failed', err: { message: /has reached record\.maxBytes/ } }])
  t.equal(lines.length, 1)
  t.equal(statSync(file).size, 65_500)
})

t.test('a file that cannot be written fails no request, and is one line of the log', async (t) => {
  const folder = t.testdir()
  mkdirSync(join(folder, 'directory'))
  writeFileSync(join(folder, 'other'), '')
  symlinkSync('other', join(folder, 'link'))
  const causes: ReadonlyArray<readonly [file: string, code: RegExp]> = [
    [join(folder, 'missing', 'decisions.jsonl'), /ENOENT/], [join(folder, 'directory'), /EISDIR/], [join(folder, 'link'), /ELOOP/], ['/dev/full', /ENOSPC/]
  ]
  for (const [file, code] of causes) {
    const lines = await record(t, { record: { file } }, 2)
    t.equal(lines.length, 1, file)
    t.match(lines[0].err?.message, code)
  }
  t.equal(statSync(join(folder, 'other')).size, 0)
})

t.test('wrong options are refused, without the secret', async (t) => {
  const mistakes: ReadonlyArray<readonly [option: unknown, message: string]> = [
    [true, ': expected false, or an object: { file, maxBytes?, hashClients?, hashSecret? }, got true'],
    [{ file: '' }, '.file: expected the path of a file, got ""'],
    [{ file: 'a', maxBytes: 1 }, '.maxBytes: expected an integer from 65536 to 1099511627776, got 1'],
    [{ file: 'a', hashSecret: 'hunter2' }, '.hashSecret: expected a string of 16 or more characters, got a string of 7 (not shown)']
  ]
  for (const [option, message] of mistakes) {
    t.throws(() => {
      checkOptions(RecordSchema, option, 'rateLimit.record')
      checkRecordOptions({ record: option }, 'rateLimit')
    }, { message: `rateLimit.record${message}` })
  }
})
