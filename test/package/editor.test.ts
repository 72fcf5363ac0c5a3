import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import ts from 'typescript'

// The compiler reads the types of Fastify and of all that it needs, which a busy machine takes long over.
t.setTimeout(240_000)

// What an editor is asked: the cursor stands at each number.
const SOURCE = `
import fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'
const app = fastify()
app.get('/', { config: { rateLimit: { /*1*/ } } }, async () => 'hello')
app.register(rateLimitPlugin, { /*2*/ })
app.register(rateLimitPlugin, { tiers: { premium: { /*3*/ } } })
app.register(rateLimitPlugin, { rules: [{ /*4*/ }] })
app.register(rateLimitPlugin, { breaker: { /*5*/ } })
app.register(rateLimitPlugin, { algorithm: '/*6*/' })
app.get('/', async (request) => request.rateLimit?./*7*/)
app.rateLimit./*8*/
`

const PLACES: ReadonlyArray<readonly [cursor: number, where: string, some: readonly string[], others: readonly string[]]> = [
  [1, 'in config.rateLimit', ['max', 'timeWindow', 'limits', 'cost', 'groupId', 'tiers', 'penalty', 'onExceeded'], ['redis', 'headers', 'rules']],
  [2, 'in the options of the plugin', ['max', 'timeWindow', 'redis', 'headers', 'rules', 'identify', 'prefix'], ['match']],
  [3, 'in a tier', ['max', 'timeWindow', 'limits', 'burst'], ['cost', 'redis']],
  [4, 'in a rule', ['name', 'match', 'methods', 'override', 'max'], ['redis']],
  [5, 'in an option of an option', ['failures', 'within', 'openFor'], ['max']],
  [6, 'in the quotes of a value', ['token-bucket', 'sliding-window', 'fixed-window'], []],
  [7, 'at a decision', ['outcome', 'remaining', 'retryAfterMs', 'charge', 'refund'], []],
  [8, 'at the instance', ['check', 'guard', 'peek', 'reset', 'explain'], []]
]

/** A TypeScript editor with one unsaved file of a project that has the package. */
function editor (): ts.LanguageService {
  const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile('tsconfig.json', ts.sys.readFile).config, ts.sys, process.cwd())
  const { fileExists, readFile, readDirectory, directoryExists, getDirectories, getCurrentDirectory, realpath } = ts.sys
  return ts.createLanguageService({
    fileExists,
    readFile,
    readDirectory,
    directoryExists,
    getDirectories,
    getCurrentDirectory,
    realpath,
    getScriptFileNames: () => [FILE],
    getScriptVersion: () => '1',
    getScriptSnapshot: (path) => path === FILE ? ts.ScriptSnapshot.fromString(SOURCE) : existsSync(path) ? ts.ScriptSnapshot.fromString(readFileSync(path, 'utf8')) : undefined,
    getCompilationSettings: () => options,
    getDefaultLibFileName: ts.getDefaultLibFilePath
  })
}

const FILE = `${process.cwd()}/types/unsaved.ts`

t.test('an editor', async (t) => {
  const service = editor()
  const cursor = (number: number) => SOURCE.indexOf(`/*${number}*/`)

  for (const [number, where, some, others] of PLACES) {
    t.test(`completes ${where}`, async (t) => {
      const names = service.getCompletionsAtPosition(FILE, cursor(number), {})?.entries.map(({ name }) => name) ?? []
      t.strictSame(some.filter((name) => !names.includes(name)), [], 'all of these are offered')
      t.strictSame(others.filter((name) => names.includes(name)), [], 'none of these is')
    })
  }

  const told = (number: number, option: string) => {
    const details = service.getCompletionEntryDetails(FILE, cursor(number), option, {}, undefined, {}, undefined)
    const [fallback] = details?.tags?.filter(({ name }) => name === 'default') ?? []
    return { text: ts.displayPartsToString(details?.documentation), fallback: ts.displayPartsToString(fallback?.text) }
  }

  t.test('tells what an option means, in the words of its schema', async (t) => {
    const { RateLimitOptionsSchema, RouteRateLimitSchema } = await import('../../lib/index.js')
    for (const [number, { properties }] of [[1, RouteRateLimitSchema], [2, RateLimitOptionsSchema]] as const) {
      for (const [option, { description, default: fallback }] of Object.entries(properties)) {
        t.equal(told(number, option).text.replaceAll('*\\/', '*/'), description, option)
        t.equal(told(number, option).fallback, fallback === undefined ? '' : typeof fallback === 'string' ? `'${fallback}'` : JSON.stringify(fallback), `the default of ${option}`)
      }
    }
  })

  t.test('tells what the options of an option mean', async (t) => {
    t.match(told(3, 'max').text, /^Units that one partition may use/)
    t.match(told(5, 'openFor'), { text: /^How long the breaker stays open/, fallback: "'5s'" })
    t.match(told(8, 'peek').text, /\w/)
  })
})
