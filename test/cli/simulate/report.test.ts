import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { SimulationReport } from '../../../lib/cli/simulate/report/report.js'
import { ClientSample } from '../../../lib/cli/simulate/stats/client-sample.js'
import { SpaceSaving } from '../../../lib/common/space-saving.js'
import { assertPropertyAsync } from '../../fixtures/property.js'
import { run } from '../command.js'

const START = Date.UTC(2026, 0, 31, 13)

/** Lines of requests: second, client, path. */
function writeLog (requests: ReadonlyArray<readonly [second: number, client: number, path?: string]>): string {
  return requests.map(([second, client, url = '/']) => {
    return `${JSON.stringify({ time: START + second * 1000, ip: `203.0.113.${client}`, method: 'GET', url })}\n`
  }).join('')
}

const LOG = writeLog([
  ...Array.from({ length: 30 }, (_, index) => [index / 10, 1, `/items/${index}`] as const),
  [4, 2], [5, 3, '/login'], [3700, 3, '/login']
])
const CONFIG = 'max = 10\ntimeWindow = "1 minute"\n[[rules]]\nname = "login"\nmatch = "/login"\nmax = 1\ntimeWindow = "1 hour"\n'

async function simulate (t: Pick<Test, 'testdir'>, files: Record<string, string>, ...flags: string[]) {
  const cwd = t.testdir({ 'access.log': LOG, 'rate-limit.toml': CONFIG, ...files })
  return { cwd, ...await run(['simulate', '--log', 'access.log', ...flags], { cwd }) }
}

t.test('says what would have been refused, by limit, route, tier, hour and client', async (t) => {
  const { status, stdout, stderr } = await simulate(t, {}, '--config', 'rate-limit.toml', '--json')
  t.strictSame([status, stderr], [0, ''])
  const { log, config } = JSON.parse(stdout) as SimulationReport
  t.match(log, { lines: 33, requests: 33, from: '2026-01-31T13:00:00.000Z', to: '2026-01-31T14:01:40.000Z' })
  t.strictSame(config.requests, { requests: 33, refused: 20, share: 20 / 33 })
  t.strictSame(config.clients, { count: 3, refused: 1, share: 1 / 3, probablyHonest: 0, sampled: 1 })
  t.match(config.limits, [{ rule: null, limit: 'default', refused: 20, peaks: { clients: 2, highest: 30 } }, { rule: 'login', refused: 0 }])
  t.strictSame(config.routes, [{ route: 'GET /items/:id', refused: 20, error: 0 }])
  t.strictSame(config.tiers, [{ tier: 'anonymous', requests: 33, refused: 20, share: 20 / 33 }])
  t.match(config.hours, [{ hour: '2026-01-31T13:00Z', requests: 32, refused: 20 }, { hour: '2026-01-31T14:00Z', requests: 1 }])
  t.match(config.topClients, [{ client: 'ip:203.0.113.1', requests: 30, refused: 20, peak: 30, allowed: 10, limit: 'default' }])
})

t.test('prints a text and a page, with nothing of a log that a terminal or a browser would run', async (t) => {
  const evil = `${JSON.stringify({ time: START, ip: '203.0.113.9', url: '/<script>alert(1)</script>\u001b[31m' })}\n`.repeat(20)
  const text = await simulate(t, { 'access.log': evil }, '--config', 'rate-limit.toml')
  t.match(text.stdout, /requests refused: 10 of 20 \(50 %\)/)
  t.notMatch(text.stdout, '\u001b')
  const page = await simulate(t, { 'access.log': evil }, '--config', 'rate-limit.toml', '--html')
  t.match(page.stdout, /^<!doctype html>.*<svg /s)
  t.notMatch(page.stdout, /<script|https?:\/\//)
  t.notMatch(page.stdout, '\u001b')
})

t.test('--hash shows no address', async (t) => {
  for (const format of ['--json', '--html']) {
    const { stdout } = await simulate(t, { 'other.toml': 'max = 100' }, '--config', 'rate-limit.toml', '--against', 'other.toml', '--hash', format)
    t.match(stdout, /ip#[\da-f]{16}/)
    t.notMatch(stdout, '203.0.113')
  }
})

t.test('--fail-over compares the share of requests, --fail-over-clients that of clients', async (t) => {
  const flags = (...more: string[]) => ['--config', 'rate-limit.toml', '--json', ...more]
  for (const [expected, more] of [[1, ['--fail-over', '60%']], [0, ['--fail-over', '61%']], [1, ['--fail-over-clients', '0.3']], [0, ['--fail-over-clients', '34%']]] as const) {
    const { status, stdout } = await simulate(t, {}, ...flags(...more))
    t.strictSame([status, (JSON.parse(stdout) as SimulationReport).ok], [expected, expected === 0], more.join(' '))
  }
})

t.test('--against shows every request that only one of two configurations refuses', async (t) => {
  const { cwd, stdout } = await simulate(t, { 'old.toml': 'max = 28\n[[rules]]\nname = "login"\nmatch = "/login"\nmax = 0' },
    '--config', 'rate-limit.toml', '--against', 'old.toml', '--flips', 'flips.jsonl', '--json')
  const { flips, against } = JSON.parse(stdout) as SimulationReport
  t.match(against, { requests: { refused: 3 } })
  t.match(flips, { newlyRefused: 19, newlyAllowed: 2, clients: [{ client: 'ip:203.0.113.1', flips: 19 }, { client: 'ip:203.0.113.3', flips: 2 }] })
  const lines = readFileSync(join(cwd, 'flips.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
  t.equal(lines.length, 21)
  t.match(lines[0], { line: 11, request: 'GET /items/10', client: 'ip:203.0.113.1', before: 'allowed', beforeLimit: null, after: 'rejected', afterLimit: 'default' })
})

t.test('a wrong file is reported as check does, and rules of the code are left out', async (t) => {
  const wrong = await simulate(t, { 'rate-limit.toml': 'max = "x"' }, '--config', 'rate-limit.toml')
  t.equal(wrong.status, 1)
  t.match(wrong.stderr, /^rate-limit\.toml:1:1: max: expected /)
  const code = await simulate(t, { 'rate-limit.toml': 'max = 1000\n[[rules]]\nname = "search"\nmax = 0' }, '--config', 'rate-limit.toml', '--json')
  t.match(JSON.parse(code.stdout), { warnings: [/made in code, and left out: search/], config: { requests: { refused: 0 } } })
})

t.test('limits that are set as advised refuse at most that share of clients', async () => {
  const requests = fc.array(fc.tuple(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 1, max: 12 })), { minLength: 30, maxLength: 200, size: 'max' })
  await assertPropertyAsync(fc.tuple(requests, fc.constantFrom(0, 0.1, 0.3), fc.constantFrom('token-bucket', 'sliding-window', 'fixed-window')), 24,
    async ([unsorted, share, algorithm]) => {
      const log = writeLog(unsorted.toSorted(([a], [b]) => a - b).map(([time, client]) => [time / 10, Math.ceil(client / 3) + client % 3]))
      const config = (numbers: string) => `algorithm = "${algorithm}"\ntimeWindow = "10s"\n${numbers}`
      const replay = async (numbers: string) => {
        const { stdout } = await simulate(t, { 'access.log': log, 'rate-limit.toml': config(numbers) }, '--config', 'rate-limit.toml', '--json', '--share', String(share))
        return (JSON.parse(stdout) as SimulationReport).config
      }
      const [{ max, burst }] = (await replay('max = 2')).limits[0].advice
      for (const numbers of [`max = ${max}`, ...burst === null ? [] : [`max = 2\nburst = ${burst}`]]) {
        const { clients } = await replay(numbers)
        if (clients.share > share) throw new Error(`${numbers} refuses ${clients.share} of clients, not ${share}`)
      }
    })
})

t.test('a sample of clients is bounded, and keeps the share of those it counts', async (t) => {
  let current = 0
  const sample = new ClientSample(1000, () => current, () => {})
  for (let client = 0; client < 20_000; client++) {
    current = client
    sample.get(`198.51.${client >> 8}.${client & 255}`)
  }
  const values = [...sample.values()]
  t.ok(values.length <= 1000 && values.length > 300)
  const odd = values.filter((client) => client % 4 === 1).length / values.length
  t.ok(odd > 0.2 && odd < 0.3, `${odd}`)
  t.ok(Math.abs(values.length / sample.share / 20_000 - 1) < 0.15, `${values.length / sample.share}`)
})

t.test('the most frequent keys are counted, in bounded memory', async (t) => {
  const counts = new SpaceSaving<string>(10)
  for (let round = 0; round < 200; round++) {
    for (const key of ['a', 'b', `rare ${round}`]) counts.add(key, () => key)
  }
  const top = counts.top(20)
  t.equal(top.length, 10)
  t.strictSame(top.slice(0, 2).map(({ key, count, error }) => [key, count, error]), [['a', 200, 0], ['b', 200, 0]])
  t.ok(top.slice(2).every(({ count, error }) => count - error <= 1))
})
