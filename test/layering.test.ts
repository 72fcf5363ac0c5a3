// Imports in lib point one way. The two tables are the rule; a new room or package needs a row.
// Not a rule of eslint: no-restricted-imports matches the text of an import, has no list of its own for types, and misses
// `import()`, `import('...').Type` and `./../`.
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import t from 'tap'
import ts from 'typescript'

interface Row {
  /** Rooms whose code this room may run. */
  readonly values: readonly string[]
  /** Further rooms whose types it may use. */
  readonly types: readonly string[]
}

// From the bottom up: a room may import rooms above its row here, never rooms below it.
const ROOMS: Readonly<Record<string, Row>> = {
  algorithms: { values: [], types: [] }, // pure functions: not even a clock
  common: { values: [], types: [] },
  calendar: { values: [], types: ['algorithms'] }, // periods; knows neither limits nor stores
  model: { values: [], types: [] }, // plain public types
  errors: { values: ['common'], types: ['model'] }, // the error of a refusal holds its decision
  throttle: { values: ['common'], types: [] }, // holds requests; knows neither policies nor Fastify
  stores: { values: [], types: ['algorithms'] }, // the contract
  'stores/memory': { values: ['algorithms', 'stores'], types: ['common'] },
  'stores/redis': { values: ['errors', 'stores'], types: ['algorithms', 'common'] },
  'stores/lease': { values: ['common', 'stores', 'stores/memory'], types: ['algorithms', 'stores/redis'] }, // spends units of Redis in memory
  concurrency: { values: ['algorithms', 'stores', 'stores/memory'], types: ['common'] }, // what the plugin adds to the slots of stores
  'store-contract': { values: ['algorithms', 'common', 'stores'], types: [] }, // the cases that every store passes. No room imports it.
  resilience: { values: ['algorithms', 'common', 'errors', 'stores'], types: [] }, // wraps the contract of stores
  'config/schema': { values: ['common', 'errors'], types: ['model', 'stores', 'stores/redis'] }, // callbacks receive clients and decisions; redis is a store's target
  'config/backend': { values: ['common', 'config/schema', 'errors'], types: ['stores', 'stores/redis'] },
  'config/layers': { values: ['common', 'config/schema', 'config/backend', 'errors'], types: [] },
  'config/environment': { values: ['common', 'config/schema', 'config/layers', 'errors'], types: [] },
  'config/file': { values: ['common', 'config/schema', 'config/layers', 'errors'], types: [] },
  config: { values: ['config/schema', 'config/backend', 'config/layers', 'config/environment', 'config/file', 'errors'], types: [] },
  routing: { values: ['config/schema', 'errors'], types: [] },
  'clients/address': { values: ['common', 'config/schema', 'errors', 'model'], types: [] },
  clients: { values: ['algorithms', 'clients/address', 'common', 'config/schema', 'errors', 'model', 'stores/memory'], types: ['stores'] }, // failed tokens are limited too
  observability: { values: ['common'], types: ['model', 'resilience'] },
  'observability/metrics': { values: ['errors'], types: ['config/schema', 'model', 'resilience', 'stores', 'stores/lease'] },
  'observability/refusal-log': { values: ['common', 'model'], types: ['config/schema'] },
  // What the operator page shows; it replays requests in a memory store.
  'observability/traffic': {
    values: ['algorithms', 'common', 'model', 'observability/refusal-log', 'stores', 'stores/memory'], types: []
  },
  'observability/recording': { values: ['common', 'observability/refusal-log'], types: ['config/schema', 'model'] },
  response: { values: ['common'], types: ['config/schema', 'model', 'stores'] },
  policies: { values: ['algorithms', 'calendar', 'common', 'concurrency', 'config/layers', 'config/schema', 'errors', 'response', 'routing'], types: ['model', 'stores'] },
  warnings: { values: ['common', 'config/schema', 'errors', 'model', 'routing'], types: ['config/layers', 'policies', 'stores'] }, // of options that are probably wrong
  request: {
    values: ['calendar', 'clients', 'clients/address', 'common', 'errors', 'model', 'observability', 'response', 'stores'],
    types: ['concurrency', 'config/schema', 'observability/metrics', 'observability/recording', 'observability/refusal-log', 'observability/traffic', 'policies', 'routing', 'stores/memory', 'throttle']
  },
  runtime: {
    values: [
      'clients', 'common', 'concurrency', 'config', 'config/backend', 'config/file', 'config/layers', 'config/schema', 'errors', 'model', 'observability',
      'policies', 'request', 'resilience', 'response', 'routing', 'stores/lease', 'stores/memory', 'stores/redis', 'warnings'
    ],
    types: ['clients/address', 'observability/metrics', 'observability/recording', 'observability/refusal-log', 'observability/traffic', 'stores', 'throttle']
  },
  decorator: { values: ['calendar', 'clients', 'common', 'config/layers', 'config/schema', 'errors', 'model', 'observability', 'policies', 'request', 'routing', 'runtime', 'stores'], types: [] },
  openapi: { values: ['common', 'policies'], types: ['config/schema', 'runtime'] },
  routes: { values: ['clients/address', 'common', 'config', 'config/schema', 'errors', 'observability', 'response', 'routing'], types: ['clients', 'decorator', 'runtime'] },
  'routes/page': {
    values: ['common', 'config', 'config/schema', 'observability', 'observability/traffic', 'response', 'routes'],
    types: ['decorator', 'runtime', 'stores/redis']
  },
  plugin: {
    values: [
      'calendar', 'clients', 'clients/address', 'common', 'concurrency', 'config', 'config/layers', 'config/schema', 'decorator', 'errors', 'observability', 'observability/metrics',
      'observability/recording', 'observability/refusal-log', 'observability/traffic', 'openapi', 'policies', 'request', 'routes', 'routes/page', 'routing', 'runtime', 'throttle'
    ],
    types: ['config/environment', 'model']
  },
  index: {
    values: ['config/schema', 'errors', 'observability', 'plugin', 'stores/redis'],
    types: ['algorithms', 'common', 'config/layers', 'decorator', 'model', 'resilience', 'stores']
  },
  // Programs of their own on top of the plugin. No room imports them.
  compat: { values: ['clients/address', 'common', 'config/backend', 'config/schema', 'errors', 'index', 'plugin', 'response', 'routing'], types: [] },
  testing: { values: ['common', 'config/schema'], types: [] },
  'cli/common': { values: ['common', 'config/environment', 'config/file', 'config/layers', 'config/schema', 'errors', 'policies', 'routing'], types: [] },
  'cli/simulate/common': { values: ['stores/memory'], types: [] },
  'cli/simulate/log': { values: ['clients/address', 'common'], types: [] },
  'cli/simulate/replay': {
    values: ['cli/common', 'cli/simulate/common', 'cli/simulate/log', 'clients', 'clients/address', 'common', 'model', 'policies', 'request', 'routing', 'stores/memory', 'throttle'],
    types: []
  },
  'cli/simulate/stats': { values: ['cli/simulate/common', 'cli/simulate/log', 'common', 'model'], types: ['cli/simulate/replay', 'policies', 'request', 'stores'] },
  'cli/simulate/report': { values: ['cli/common', 'cli/simulate/stats', 'common'], types: ['cli/simulate/log'] },
  'cli/simulate': {
    values: ['calendar', 'cli/common', 'cli/simulate/log', 'cli/simulate/replay', 'cli/simulate/report', 'cli/simulate/stats', 'common', 'observability/refusal-log'],
    types: ['config/environment']
  },
  cli: {
    values: ['cli/common', 'cli/simulate', 'common', 'config/environment', 'config/layers', 'config/schema', 'policies', 'warnings'],
    types: ['model', 'stores']
  }
}

// Where a package may be imported: the beginning of a path in lib. Types count too.
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@fastify/error': ['errors.ts'],
  '@lukeed/ms': ['compat/hook', 'config/schema/durations'],
  '@sinclair/typebox': ['compat/options', 'config/', 'routes/admin-schemas', 'routes/page/instance-summary'],
  'cli-progress': ['cli/simulate/progress.ts'],
  'fastify-plugin': ['compat/build', 'plugin/plugin.ts'],
  ioredis: ['stores/redis/'],
  'ipaddr.js': ['clients/address/'],
  'prom-client': ['observability/metrics/'],
  'smol-toml': ['config/file/'],
  'temporal-polyfill': ['calendar/']
}

// The code of TypeBox would take longer to load than all of lib: see config/schema/type-builder.ts.
const TYPES_ONLY = ['@sinclair/typebox']

// Models are no part of the package. They run the rules of lib, and nothing else: `memory/bucket.ts` only puts algorithms together.
const MODELS_MAY_IMPORT = /^\.\.\/lib\/(?:algorithms\/[a-z-]+|stores\/memory\/bucket)\.js$|^\.\/[a-z-]+\.js$/

// fastify is a peer: its types are free for all but these, its code is nobody's.
const WITHOUT_FASTIFY = ['algorithms', 'stores', 'stores/memory', 'stores/redis', 'throttle', 'model']

interface Import {
  readonly from: string
  readonly isType: boolean
}

function importOf (node: ts.Node): Import | null {
  // `import { type X }` still runs the module, so only `import type` counts as a type.
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    return { from: node.moduleSpecifier.text, isType: node.importClause?.isTypeOnly ?? false }
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
    return { from: node.moduleSpecifier.text, isType: node.isTypeOnly }
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
    return { from: node.argument.literal.text, isType: true }
  }
  const isDynamic = ts.isCallExpression(node) &&
    (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require')
  if (!isDynamic) return null
  const [specifier] = node.arguments
  return { from: specifier !== undefined && ts.isStringLiteral(specifier) ? specifier.text : '(computed)', isType: false }
}

function importsOf (path: string, source: string): Import[] {
  const found: Import[] = []
  const visit = (node: ts.Node): void => {
    const one = importOf(node)
    if (one !== null) found.push(one)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true))
  return found
}

/** A room is a folder: `stores/memory/table.ts` is in `stores/memory`. A file at the top is a room of its own. */
function roomOf (path: string): string {
  const folder = posix.dirname(path)
  return folder === '.' ? path.replace(/\.[jt]s$/, '') : folder
}

function isAllowedPackage (path: string, { from, isType }: Import): boolean {
  const room = roomOf(path)
  if (isBuiltin(from)) return room !== 'algorithms'
  const name = from.split('/').slice(0, from.startsWith('@') ? 2 : 1).join('/')
  if (name === 'fastify') return isType && !WITHOUT_FASTIFY.includes(room)
  if (TYPES_ONLY.includes(name) && !isType) return false
  return PACKAGES[name]?.some((place) => path.startsWith(place)) ?? false
}

function isAllowed (path: string, one: Import): boolean {
  if (!one.from.startsWith('.')) return isAllowedPackage(path, one)
  const from = roomOf(path)
  const to = roomOf(posix.join(posix.dirname(path), one.from))
  if (from === to) return true
  const row = ROOMS[from]
  return row !== undefined && (row.values.includes(to) || (one.isType && row.types.includes(to)))
}

/** Every import of a file that the tables do not allow. */
function breaches (path: string, source: string): string[] {
  return importsOf(path, source)
    .filter((one) => !isAllowed(path, one))
    .map(({ from, isType }) => `lib/${path} imports ${isType ? 'the types of ' : ''}${from}`)
}

function sourcePaths (): string[] {
  return readdirSync('lib', { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
}

/** Files of lib that a file imports, types included. */
function localImports (path: string): string[] {
  return importsOf(path, readFileSync(`lib/${path}`, 'utf8'))
    .filter(({ from }) => from.startsWith('.'))
    .map(({ from }) => posix.join(posix.dirname(path), from).replace(/\.js$/, '.ts'))
}

/** The first circle of imports, from a file back to itself; empty without one. */
function findCircle (imports: ReadonlyMap<string, readonly string[]>): string[] {
  const finished = new Set<string>()
  const follow = (path: string, trail: readonly string[]): string[] => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
    if (finished.has(path)) return []
    const circle = (imports.get(path) ?? []).map((next) => follow(next, [...trail, path])).find(({ length }) => length > 0) ?? []
    finished.add(path)
    return circle
  }
  return [...imports.keys()].map((path) => follow(path, [])).find(({ length }) => length > 0) ?? []
}

const MAX_FILE_LINES = 250
const MAX_LINE_LENGTH = 140
const MAX_PARAMETERS = 5

function tooLong (path: string, source: string): string[] {
  const lines = source.trimEnd().split('\n')
  const found = lines.flatMap((line, index) => line.length > MAX_LINE_LENGTH ? [`${path}:${index + 1} has ${line.length} characters`] : [])
  if (lines.length > MAX_FILE_LINES) found.push(`${path} has ${lines.length} lines`)
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && node.parameters.length > MAX_PARAMETERS) found.push(`${path} has ${node.parameters.length} parameters: ${node.getText().slice(0, 60)}`)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true))
  return found
}

t.test('every import in lib points the way that the tables say', async (t) => {
  const paths = sourcePaths()
  t.ok(paths.length > 0)
  t.strictSame(paths.flatMap((path) => breaches(path, readFileSync(`lib/${path}`, 'utf8'))), [])
})

t.test('only the clock reads the time, and only the plugin and the command the environment', async (t) => {
  const mayRead = ['common/clock.ts', 'plugin/plugin.ts', 'cli/index.ts']
  const paths = sourcePaths().filter((path) => !mayRead.includes(path))
  const code = (path: string) => readFileSync(`lib/${path}`, 'utf8').replace(/\/\*[^]*?\*\/|\/\/.*$/gm, '')
  t.strictSame(paths.filter((path) => /\b(?:performance\.now|Date\.now|process\.hrtime|process\.env)\b|new Date\(\)/.test(code(path))), [])
})

t.test('every room of lib has a row, and only index.ts and errors.ts stand at the top', async (t) => {
  const paths = sourcePaths()
  t.strictSame([...new Set(paths.map(roomOf))].filter((room) => ROOMS[room] === undefined), [])
  t.strictSame(paths.filter((path) => !path.includes('/')).sort(), ['errors.ts', 'index.ts'])
})

t.test('models import only the algorithms and each other', async (t) => {
  const paths = readdirSync('models').filter((path) => path.endsWith('.ts'))
  t.ok(paths.length > 2)
  for (const path of paths) {
    const imports = importsOf(path, readFileSync(`models/${path}`, 'utf8')).map(({ from }) => from)
    t.strictSame(imports.filter((from) => !MODELS_MAY_IMPORT.test(from)), [], path)
  }
  t.notMatch('../lib/stores/store.js', MODELS_MAY_IMPORT)
})

t.test('no row of the table names a room below it', async (t) => {
  const order = Object.keys(ROOMS)
  for (const [room, { values, types }] of Object.entries(ROOMS)) {
    t.strictSame([...values, ...types].filter((other) => order.indexOf(other) >= order.indexOf(room)), [], room)
  }
})

t.test('no files of lib import each other in a circle', async (t) => {
  const imports = new Map(sourcePaths().map((path) => [path, localImports(path)]))
  t.strictSame(findCircle(imports), [])
  t.strictSame(findCircle(new Map([['a.ts', ['b.ts']], ['b.ts', ['c.ts']], ['c.ts', ['b.ts']]])), ['b.ts', 'c.ts', 'b.ts'])
})

t.test('files, lines and lists of parameters stay short', async (t) => {
  const paths = [...sourcePaths().map((path) => `lib/${path}`), ...readdirSync('models').map((path) => `models/${path}`)]
  const found = paths.flatMap((path) => tooLong(path, readFileSync(path, 'utf8')))
  t.strictSame(found, [])
  t.equal(tooLong('a.ts', 'function f (a, b, c, d, e, g) {}').length, 1)
  t.equal(tooLong('a.ts', `const text = '${'x'.repeat(140)}'`).length, 1)
  t.equal(tooLong('a.ts', '//\n'.repeat(251)).length, 1)
})

t.test('an import against the tables is found', async (t) => {
  const wrong: ReadonlyArray<readonly [path: string, source: string, why: string]> = [
    ['algorithms/a.ts', "import { systemClock } from '../common/clock.js'", 'an algorithm is given the time'],
    ['algorithms/a.ts', "import type { Limit } from '../stores/store.js'", 'a type is an import too'],
    ['algorithms/a.ts', "import { hash } from 'node:crypto'", 'an algorithm needs nothing of Node'],
    ['stores/store.ts', "import { compilePolicy } from '../policies/compile.js'", 'stores know no policies'],
    ['stores/store.ts', "import { MemoryStore } from './memory/store.js'", 'a folder within is a room of its own'],
    ['response/a.ts', "import { createMemoryStore } from '../stores/memory/store.js'", 'no store at all'],
    ['response/a.ts', "import { type Charge } from '../stores/store.js'", 'this form still runs the module'],
    ['clients/a.ts', "export * from '../policies/policy-set.js'", 'exporting imports'],
    ['clients/a.ts', "const plugin = await import('../plugin/plugin.js')", 'a dynamic import is one too'],
    ['policies/a.ts', "type Hook = import('../request/limiter-context.js').Next", 'policies do not know the path of a request'],
    ['plugin/plugin.ts', "import { Redis } from 'ioredis'", 'not even the plugin knows Redis'],
    ['stores/memory/a.ts', "import { Redis } from 'ioredis'", 'only the Redis store does'],
    ['request/limit.ts', "import type { Counter } from 'prom-client'", 'only the metrics do'],
    ['policies/a.ts', "import { parse } from 'smol-toml'", 'only the config file is TOML'],
    ['plugin/plugin.ts', "import fastify from 'fastify'", 'a peer lends its types only'],
    ['clients/a.ts', "import type { FastifyJWT } from '@fastify/jwt'", 'a peer that need not be there'],
    ['config/schema/a.ts', "import { Type } from '@sinclair/typebox'", 'TypeBox lends its types only'],
    ['plugin/plugin.ts', "import lodash from 'lodash'", 'a package without a row']
  ]
  for (const [path, source, why] of wrong) t.equal(breaches(path, source).length, 1, why)
})

t.test('an import by the tables is let through', async (t) => {
  const right: ReadonlyArray<readonly [path: string, source: string, why: string]> = [
    ['plugin/plugin.ts', "import { WaitingRoom } from '../throttle/waiting-room.js'", 'the plugin puts the rooms together'],
    ['stores/memory/store.ts', "import { charge } from '../../algorithms/token-bucket.js'", 'stores run algorithms'],
    ['response/a.ts', "import type { Receipt } from '../stores/store.js'", 'plain types'],
    ['stores/redis/connect.ts', "import { Redis } from 'ioredis'", 'the one place for it'],
    ['clients/a.ts', "import { isIP } from 'node:net'", "Node's own modules"]
  ]
  for (const [path, source, why] of right) t.strictSame(breaches(path, source), [], why)
})
