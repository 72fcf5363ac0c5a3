import { spawnSync } from 'node:child_process'
import { parseEnv } from 'node:util'
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { parse } from 'smol-toml'
import { readConfigText } from '../../lib/config/file/config-file.js'
import { durationMs } from '../../lib/config/schema/durations.js'
import { readEnvironment } from '../../lib/config/environment/environment.js'
import type { Layer } from '../../lib/config/layers/layer.js'
import { explainPolicy, type OwnConfig, type PolicyName } from '../../lib/config/layers/explain.js'
import { mergeLayers, registerLayer } from '../../lib/config/layers/merge.js'
import type { RateLimitOptions } from '../../lib/config/schema/options-schema.js'
import { MAX_BURST_MS, QUIET_MS } from '../../lib/config/file/change-detector.js'
import { POLL_MS } from '../../lib/config/file/watch.js'
import { findErrors } from './config-files.js'
import { createSnippetApp, readPage, root, parseSnippets } from './snippets.js'

const page = readPage('docs/configuration.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

/** Those that reload.test.ts runs. */
const ELSEWHERE = ['A config file', 'Changing limits while running']

/** Blocks of other languages, by the words after the fence. */
function blocksOf (fence: string, heading = ''): string[] {
  const text = page.slice(heading === '' ? 0 : page.indexOf(`# ${heading}\n`))
  return Array.from(text.matchAll(/^```(\S.*)\n([\s\S]*?)^```$/gm)).filter(([, words]) => words === fence).map(([, , block]) => block)
}

/** The cells of the rows of a table, each without its backticks, from the heading over it. */
function rowsUnder (head: string): string[][] {
  const [, table] = page.slice(page.indexOf(head)).split(/^\|[-|]+\|$/m)
  return Array.from(table.split('\n\n')[0].matchAll(/^\| (.*) \|$/gm), ([, row]) => row.split(' | ').map((cell) => cell.replace(/^`|`$/g, '')))
}

function fileLayerOf (text: string): Layer {
  const file = readConfigText(text, 'rate-limit.toml')
  if ('mistakes' in file) throw file.mistakes[0]
  return file.layer
}

function optionsOf (env: Record<string, string | undefined>): unknown {
  const { layer, mistakes } = readEnvironment(env)
  t.strictSame(mistakes.map(({ message }) => message), [])
  return layer.options
}

t.test('the tables of options are those of the schemas', async (t) => {
  const check = spawnSync('node', ['docs/configuration-tables.js', '--check'], { cwd: root, encoding: 'utf8' })
  t.equal(check.status, 0, check.stderr)
})

t.test('nothing is wrong with the files that are shown, but for the one that is shown for it', async (t) => {
  const files = [...blocksOf('toml'), ...blocksOf('toml override')]
  t.equal(files.length, 3)
  for (const file of files) t.strictSame(findErrors(file), [])
})

t.test('the mistakes are told as it is shown', async (t) => {
  const [file] = blocksOf('toml mistakes')
  t.equal(`${findErrors(file).join('\n')}\n`, blocksOf('text')[0])
})

t.test('the layers come to what the table says', async (t) => {
  RUN.add('An example')
  const given: RateLimitOptions[] = []
  await createSnippetApp(t, page, 'An example', { rateLimitPlugin: async (_: FastifyInstance, options: RateLimitOptions) => { given.push(options) } })
  const [{ configFile, ...options }] = given
  t.equal(configFile, 'rate-limit.toml')
  const lower = [registerLayer(options), fileLayerOf(blocksOf('toml', 'An example')[0])]
  const { layer, mistakes } = readEnvironment(parseEnv(blocksOf('sh', 'An example')[0]), mergeLayers(lower).options)
  t.strictSame(mistakes, [])
  const layered = mergeLayers([...lower, layer])

  const rows = rowsUnder('and the result:')
  t.equal(rows.length, 6)
  const own: OwnConfig = { options: { max: 10 }, place: 'GET /export config.rateLimit' }
  const names: Array<readonly [policy: PolicyName, own: OwnConfig | null]> = [
    [{ rule: null, tier: null }, null], [{ rule: null, tier: 'premium' }, null], [{ rule: 'login', tier: null }, null],
    [{ rule: 'search', tier: null }, null], [{ rule: 'reports', tier: null }, null], [{ rule: null, tier: null }, own]
  ]
  for (const [index, [policy, own]] of names.entries()) {
    const [what, limit, why] = rows[index]
    const explained = explainPolicy(layered, policy, own) ?? []
    const value = (name: string) => explained.find(({ option }) => option === name)?.value
    t.match(what, policy.rule ?? policy.tier ?? (own === null ? 'default' : '/export'))
    const [max, timeWindow] = limit.split(' per ')
    t.equal(value('max'), Number(max), what)
    t.equal(durationMs(value('timeWindow')), durationMs(timeWindow), what)
    if (why.includes('takes two units')) t.equal(value('cost'), 2)
  }
})

t.test('variables mean what stands beside them', async (t) => {
  const rows = rowsUnder('| variable | the same in a file |')
  t.ok(rows.length > 10)
  for (const [variable, toml] of rows) {
    const [name, ...text] = variable.split('=')
    t.strictSame(optionsOf({ [name]: text.join('=') }), JSON.parse(JSON.stringify(parse(toml))), variable)
    t.strictSame(findErrors(toml), [])
  }
  for (const [, name] of page.matchAll(/`(SLUICE_(?:SERVICE_HOST|PORT|REDIS_PORT_\w+))`/g)) t.strictSame(optionsOf({ [name]: 'tcp://10.0.0.1:80' }), {}, name)
})

t.test('the times of the watch are those of the page', async (t) => {
  const [, text] = /\*\*Write and rename\.\*\*([^]*?)\*\*Kubernetes\.\*\*/.exec(page) ?? []
  t.strictSame(Array.from(text.matchAll(/(\d+) ms/g), ([, ms]) => Number(ms)), [POLL_MS, QUIET_MS, MAX_BURST_MS])
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), new Set([...RUN, ...ELSEWHERE]))
})
