// rate-limit.example.toml is what people copy: it must be complete, and right as it stands.
import { readFileSync } from 'node:fs'
import t from 'tap'
import Fastify from 'fastify'
import { readConfigText } from '../../lib/config/file/config-file.js'
import { durationMs } from '../../lib/config/schema/durations.js'
import { findKnownValue } from '../../lib/config/environment/known-names.js'
import type { LayerOptions } from '../../lib/config/layers/layer.js'
import { mergeLayers, registerLayer } from '../../lib/config/layers/merge.js'
import { rateLimitPlugin } from '../../lib/plugin/plugin.js'
import { listOptions, findErrors } from './config-files.js'

const NAME = 'rate-limit.example.toml'
const text = readFileSync(NAME, 'utf8')
const shown = uncommented(text)

const all = listOptions()

/** What stands commented out, but for the words about it. */
function uncommented (text: string): string {
  return text.replace(/^#(?=[a-z[])/gm, '')
}

function layerOf (text: string): LayerOptions {
  const file = readConfigText(text, NAME)
  if ('mistakes' in file) throw file.mistakes[0]
  return file.layer.options
}

const others = Array.from(text.matchAll(/^# or: (.+)$/gm), ([, other]) => other)

/** As it is shown with all others, or else in an alternative. */
function findShownValue (options: ReturnType<typeof layerOf>, path: readonly string[]): unknown {
  return [options, ...others.map(layerOf)].map((one) => findKnownValue(one, path)).find((value) => value !== undefined)
}

t.test('the example sets nothing as long as nobody removes a comment sign', async (t) => {
  t.strictSame(layerOf(text), {})
})

t.test('nothing is wrong with what it shows, all at once and each alternative by itself', async (t) => {
  t.strictSame(findErrors(shown), [])
  t.ok(others.length > 5)
  for (const other of others) t.strictSame(findErrors(other), [], other)
})

t.test('it shows every option that a file can set', async (t) => {
  const options = layerOf(shown)
  const isShown = (path: readonly string[]) => findShownValue(options, path) !== undefined || text.includes(`# or: ${path.join('.')} = `)
  t.ok(all.length > 50)
  t.strictSame(all.filter(({ path }) => !path.includes('rules') && !isShown(path)).map(({ path }) => path.join('.')), [])
  for (const field of ['name', 'match', 'methods', 'override', 'tiers', 'limits']) t.ok(options.rules?.some((rule) => field in rule), `a rule's ${field}`)
  const limits = options.rules?.flatMap((rule) => rule.limits ?? [])
  for (const field of ['name', 'max', 'timeWindow', 'burst', 'algorithm', 'by', 'cost', 'onUnsettled', 'mode', 'leases']) t.ok(limits?.some((limit) => field in limit), `a limit's ${field}`)
})

t.test('what has a default is shown with it', async (t) => {
  const options = layerOf(shown)
  const comparable = (value: unknown) => durationMs(value) ?? value
  const rows = all.filter(({ path, schema }) => schema.default !== undefined && !path.includes('rules'))
  t.ok(rows.length > 25)
  for (const { path, schema } of rows) {
    const value = findShownValue(options, path)
    // Of a switch that may be a table, the table is shown.
    if (typeof value !== 'object' || Array.isArray(value)) t.strictSame(comparable(value), comparable(schema.default), path.join('.'))
  }
})

t.test('an application starts with all of its rules', async (t) => {
  const [, rules] = shown.split(/^# --- Rules -+$/m)
  const { options } = mergeLayers([registerLayer({}), { name: 'file', options: layerOf(rules), locate: String }])
  t.equal(options.rules?.length, 5)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, options)
  app.post('/login', async () => 'welcome')
  app.get('/legacy/orders', { config: { rateLimit: { max: 5 } } }, async () => 'orders')
  t.equal((await app.inject({ method: 'POST', url: '/login' })).headers['x-ratelimit-limit'], '5')
  t.equal((await app.inject('/api/v1/reports')).headers['x-ratelimit-limit'], '4')
  t.equal((await app.inject('/api/v1/orders')).headers['x-ratelimit-limit'], '60')
  t.equal((await app.inject('/thumbnails/1')).headers['x-ratelimit-limit'], '5')
  t.equal((await app.inject('/legacy/orders')).statusCode, 429)
})

t.test('options stand in groups with headings, and none in a table before the rules, which it would be swallowed by', async (t) => {
  const [head, ...groups] = text.split(/^# --- .* -+$/m)
  t.notMatch(head, /^#[a-z[]/m)
  for (const group of groups) t.match(group, /^#[a-z[]/m)
  for (const group of groups.slice(0, -1)) t.notMatch(group, /^#\[/m)
})

t.test('its first line names the schema for editors, and a blank line ends it', async (t) => {
  t.match(text, /^#:schema \.\/node_modules\/fastify-sluice\/rate-limit\.schema\.json\n\n/)
})
