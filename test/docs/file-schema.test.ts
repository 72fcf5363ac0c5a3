// rate-limit.schema.json is what editors know of a config file: the same as the code knows, as far as a schema can say it.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import fc from 'fast-check'
import Fastify from 'fastify'
import { parse } from 'smol-toml'
import { durationMs } from '../../lib/config/schema/durations.js'
import { NAME_PATTERN } from '../../lib/config/schema/option-types.js'
import { assertProperty } from '../fixtures/property.js'
import { listOptions, findErrors } from './config-files.js'
import { root } from './snippets.js'

interface JsonSchema {
  readonly [keyword: string]: unknown
  readonly type?: unknown
  readonly description?: string
  readonly pattern?: string
  readonly anyOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
}

const schema: JsonSchema = JSON.parse(readFileSync(new URL('rate-limit.schema.json', root), 'utf8'))

/** Whether a value fits the schema, as Fastify's own validator has it, which must change nothing in it. */
type Fits = (value: unknown) => boolean
const fits = await new Promise<Fits>((resolve, reject) => {
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allowUnionTypes: true } } })
  app.get('/', async (request) => resolve(request.compileValidationSchema(schema)))
  app.inject('/').then(() => app.close()).then(() => reject(new Error('it does not compile')), reject)
})

/** Every schema in a schema, with its path. */
function * schemasIn (schema: JsonSchema, path = ''): Generator<readonly [path: string, schema: JsonSchema]> {
  yield [path, schema]
  for (const [key, inner] of Object.entries({ ...schema.properties, ...schema.patternProperties })) yield * schemasIn(inner, `${path}.${key === NAME_PATTERN ? '*' : key}`)
  for (const inner of schema.anyOf ?? []) yield * schemasIn(inner, path)
  if (schema.items !== undefined) yield * schemasIn(schema.items, `${path}[]`)
}

t.test('it is made of the schema of the code', async (t) => {
  const check = spawnSync('node', ['docs/file-schema.js', '--check'], { cwd: root, encoding: 'utf8' })
  t.equal(check.status, 0, check.stderr)
})

t.test('it has every option of a file, each with a description', async (t) => {
  const described = new Map([...schemasIn(schema)].filter(([, { description }]) => description !== undefined))
  const options = listOptions()
  t.ok(options.length > 50)
  t.strictSame(options.map(({ path }) => `.${path.join('.')}`).filter((path) => !described.has(path)), [])
  for (const path of ['.rules[].match', '.rules[].override', '.rules[].limits[].name', '.rules[].tiers.*', '.tiers.*.limits[].mode']) t.ok(described.has(path), path)
})

t.test('no editor meets a word that it need not know', async (t) => {
  const KNOWN = [
    '$schema', 'title', 'description', 'default', 'examples', 'type', 'enum', 'anyOf', 'properties', 'patternProperties', 'additionalProperties', 'required',
    'items', 'minItems', 'maxItems', 'minimum', 'maximum', 'minLength', 'maxLength', 'pattern'
  ]
  const words = new Set([...schemasIn(schema)].flatMap(([, one]) => Object.keys(one)))
  t.strictSame([...words].filter((word) => !KNOWN.includes(word)), [])
  // Those of draft 4 too: no look-around, no flags.
  for (const [path, { pattern = '' }] of schemasIn(schema)) t.notMatch(pattern, /\(\?/, path)
})

t.test('what is said of code is not said of a file', async (t) => {
  for (const [path, { description = '' }] of schemasIn(schema)) {
    t.notMatch(description, /\bfunction\b/, path)
    for (const [code] of description.matchAll(/`[^`]*`/g)) t.notMatch(code, ': ', path)
  }
})

/** What the schema lets pass of test/config/file/bad, and why. */
const BEYOND: Readonly<Record<string, string>> = {
  'limits-with-max.toml': 'one option contradicts another',
  'identify-for-too-long.toml': 'durations are compared by the code',
  'rule-twice.toml': 'names are compared',
  'limit-twice.toml': 'names are compared',
  'proxy-that-is-no-network.toml': 'networks are read by the code',
  'redis-password-not-encoded.toml': 'a URL is read by the code',
  'redis-with-an-unknown-option.toml': 'ioredis has more options than editors need to complete',
  'tables-nested-too-deeply.toml': 'what is in the options of ioredis is theirs'
}

let checked = 0
for (const name of readdirSync('test/config/file/bad')) {
  const text = readFileSync(`test/config/file/bad/${name}`, 'utf8')
  const table = tableOf(text)
  if (table === null) continue
  checked++
  const isBeyond = Object.hasOwn(BEYOND, name)
  t.test(`an editor ${isBeyond ? 'cannot show' : 'shows'} what is wrong with ${name}`, async (t) => {
    t.equal(fits(table), isBeyond, BEYOND[name])
  })
}

t.test('there are files for many mistakes, and most of them show', async (t) => {
  t.ok(checked > 35)
  t.ok(Object.keys(BEYOND).length < checked / 4)
})

t.test('nothing that a file may hold is underlined', async (t) => {
  const texts = [
    ['timeWindow', '1000', '1000.0', '1', '"1"', '"10s"', '".5s"', '"0.5 Minutes"', '" 1 HOUR "', '"007 days"', '"1.0ms"'],
    ['redis', '"redis://127.0.0.1"', '"REDISS://:secret@[::1]:6380/2"', '{}', '{ host = "a", port = "6379", lazyConnect = true }', '{ cluster = ["a", { host = "b" }], clusterOptions = {} }'],
    ['trustedProxies', '["unix", "loopback", "10.0.0.0/8", "::/0", "fe80::1%eth0/64", "::ffff:10.0.0.1"]', '[]'],
    ['health', 'false', '{ allow = ["fd00::/8"] }', '{}'],
    ['metrics', 'false', '{ path = "/m", allow = ["fd00::/8"] }', '{}'],
    ['admin', 'false', '{ prefix = "/ops/limits", allow = ["fd00::/8"] }', '{}'],
    ['refundOn', '["2XX", 304, "404"]', '[]'],
    ['identify.jwt', 'true', 'false', '{}', '{ userClaim = "id" }'],
    ['tiers', '{ a = false, "b.c" = {} }', '{}'],
    ['rules', '[{ name = "a" }]', '[]']
  ].flatMap(([key, ...values]) => values.map((value) => `${key} = ${value}`))
  for (const text of texts) {
    t.strictSame(findErrors(text), [], text)
    t.ok(fits(tableOf(text)), text)
  }
})

t.test('it takes those texts for durations that are some', async () => {
  const pattern = new RegExp(schema.properties?.timeWindow?.pattern ?? '')
  const digits = fc.stringMatching(/^\d{0,2}\.?\d{0,2}$/)
  const unit = fc.constantFrom('', 'ms', 'millisecond', 's', 'Secs', 'sec', 'SECONDS', 'm', 'min', 'mins', 'minute', 'h', 'hr', 'hours', 'd', 'days', 'w', 'wk', 'weeks', 'y', 'yrs', 'years', 'parsecs', 'sm', 'e3', 's s', '-')
  assertProperty(fc.tuple(fc.constantFrom('', ' ', '\t', '-'), digits, fc.constantFrom('', ' ', '  ', '\t'), unit, fc.constantFrom('', ' ')), 5000, (parts) => {
    const text = parts.join('')
    if (pattern.test(text) !== (durationMs(text) !== null)) throw new Error(JSON.stringify(text))
  })
})

t.test('the options of ioredis that it names are known', async (t) => {
  const server = schema.properties?.redis?.anyOf?.[1].properties ?? {}
  t.ok(Object.keys(server).length > 8)
  const { cluster, redisOptions, sentinels, name, ...alone } = server
  const value = (key: string) => ['port', 'db'].includes(key) ? '1' : key === 'tls' ? '{}' : '"a"'
  for (const key of Object.keys(alone)) t.strictSame(findErrors(`redis = { ${key} = ${value(key)} }`), [], key)
  t.strictSame(findErrors('redis = { sentinels = [{ host = "a", port = 1 }], name = "main" }'), [])
  t.strictSame(findErrors('redis = { cluster = [{ host = "a", port = 1 }], redisOptions = { username = "a", password = "b", tls = {} } }'), [])
})

/** What TOML text holds; `null` where it is none. */
function tableOf (text: string): unknown {
  try {
    return parse(text)
  } catch {
    return null
  }
}
