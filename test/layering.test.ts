// Imports in lib point one way. The two tables are the rule; a new room or package needs a row.
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import t from 'tap'
import ts from 'typescript'

interface Row {
  /** Rooms whose code this room may run. */
  readonly values: readonly string[]
  /** Further rooms of which it may know the types. */
  readonly types: readonly string[]
}

const PLAIN_TYPES = ['algorithms', 'clients', 'clock', 'config', 'observability', 'policies', 'response', 'stores']

// Files at the top of lib that have no row here are the frame: it puts the parts together and may import all of them.
const ROOMS: Readonly<Record<string, Row>> = {
  algorithms: { values: [], types: [] }, // pure functions: not even a clock
  clock: { values: [], types: [] },
  errors: { values: [], types: ['policies'] }, // a refusal's error carries its decision
  config: { values: ['errors'], types: ['clients', 'policies', 'stores'] }, // callbacks in the options receive clients and decisions; redis is a store's target
  stores: { values: ['algorithms', 'errors'], types: ['clock'] },
  'store-contract': { values: ['algorithms', 'stores'], types: [] }, // what a store must do, for whoever writes one. Nobody imports it.
  resilience: { values: ['errors', 'stores'], types: ['clock'] }, // wraps the contract of stores
  clients: { values: ['config', 'errors'], types: PLAIN_TYPES },
  // Compiling validates, converts units, and words what every response of the policy will say.
  policies: { values: ['algorithms', 'config', 'errors', 'response'], types: PLAIN_TYPES },
  admin: { values: ['config'], types: [] }, // how the operator routes are described
  openapi: { values: [], types: ['policies'] }, // documents, as plain JSON
  throttle: { values: [], types: ['clock'] }, // holds requests; knows neither policies nor Fastify
  response: { values: [], types: PLAIN_TYPES },
  observability: { values: ['errors'], types: [...PLAIN_TYPES, 'resilience'] },
  // Drives the plugin by its public surface, as an application would; of the rooms it takes tools only. Nobody imports it.
  compat: { values: ['clients', 'clock', 'config', 'errors', 'index', 'observability', 'policies'], types: [] },
  cli: { values: ['clients', 'config', 'errors', 'policies', 'response'], types: PLAIN_TYPES } // a program of its own: nobody imports it
}

// Where a package may be imported: the beginning of a path in lib. Types count too.
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@fastify/error': ['errors.ts'],
  '@lukeed/ms': ['compat/hook', 'config/durations'],
  '@sinclair/typebox': ['admin/', 'compat/options', 'config/'],
  'fastify-plugin': ['compat/build', 'plugin.ts'],
  ioredis: ['stores/redis/'],
  'ipaddr.js': ['clients/'],
  'prom-client': ['observability/metrics'],
  'smol-toml': ['config/']
}

// fastify is a peer: its types are free for all but these, its code is nobody's.
const KNOW_NO_FASTIFY = ['algorithms', 'stores', 'throttle', 'clock']

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

/** `stores/memory/table.ts` is in the room `stores`; a file at the top is a room of its own. */
function roomOf (path: string): string {
  return path.split('/')[0]!.replace(/\.[jt]s$/, '')
}

function isFrame (path: string): boolean {
  return !path.includes('/') && ROOMS[roomOf(path)] === undefined
}

function isAllowedPackage (path: string, { from, isType }: Import): boolean {
  const room = roomOf(path)
  if (isBuiltin(from)) return room !== 'algorithms'
  const name = from.split('/').slice(0, from.startsWith('@') ? 2 : 1).join('/')
  if (name === 'fastify') return isType && !KNOW_NO_FASTIFY.includes(room)
  return PACKAGES[name]?.some((place) => path.startsWith(place)) ?? false
}

function isAllowed (path: string, one: Import): boolean {
  if (!one.from.startsWith('.')) return isAllowedPackage(path, one)
  const from = roomOf(path)
  const to = roomOf(posix.join(posix.dirname(path), one.from))
  if (from === to || isFrame(path)) return true
  const row = ROOMS[from]
  return row !== undefined && (row.values.includes(to) || (one.isType && row.types.includes(to)))
}

/** Every import of a file that the tables do not allow. */
function breaches (path: string, source: string): string[] {
  return importsOf(path, source)
    .filter((one) => !isAllowed(path, one))
    .map(({ from, isType }) => `lib/${path} imports ${isType ? 'the types of ' : ''}${from}`)
}

t.test('every import in lib points the way that the tables say', async (t) => {
  const paths = readdirSync('lib', { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
  t.ok(paths.length > 0)
  t.strictSame(paths.flatMap((path) => breaches(path, readFileSync(`lib/${path}`, 'utf8'))), [])
})

t.test('only the clock reads the time, and only the plugin and the command the environment', async (t) => {
  const mayRead = ['clock.ts', 'plugin.ts', 'cli/index.ts']
  const paths = readdirSync('lib', { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts') && !mayRead.includes(path))
  const code = (path: string) => readFileSync(`lib/${path}`, 'utf8').replace(/\/\*[^]*?\*\/|\/\/.*$/gm, '')
  t.strictSame(paths.filter((path) => /\b(?:performance\.now|Date\.now|process\.hrtime|process\.env)\b|new Date\(\)/.test(code(path))), [])
})

t.test('every folder of lib has a row', async (t) => {
  const folders = readdirSync('lib', { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name)
  t.strictSame(folders.filter((name) => ROOMS[name] === undefined), [])
})

t.test('an import against the tables is found', async (t) => {
  const wrong: ReadonlyArray<readonly [path: string, source: string, why: string]> = [
    ['algorithms/a.ts', "import { systemClock } from '../clock.js'", 'an algorithm is told the time'],
    ['algorithms/a.ts', "import type { Limit } from '../stores/store.js'", 'a type is an import too'],
    ['algorithms/a.ts', "import { hash } from 'node:crypto'", 'an algorithm needs nothing of Node'],
    ['stores/store.ts', "import { compilePolicy } from '../policies/compile.js'", 'stores know no policies'],
    ['response/a.ts', "import { createMemoryStore } from '../stores/memory/store.js'", 'only its types'],
    ['response/a.ts', "import { type Charge } from '../stores/store.js'", 'this form still runs the module'],
    ['clients/a.ts', "export * from '../policies/book.js'", 'exporting imports'],
    ['clients/a.ts', "const plugin = await import('../plugin.js')", 'a dynamic import is one too'],
    ['policies/a.ts', "type Hook = import('../hook.js').Next", 'nobody knows the frame'],
    ['plugin.ts', "import { Redis } from 'ioredis'", 'not even the frame knows Redis'],
    ['stores/memory/a.ts', "import { Redis } from 'ioredis'", 'only the Redis store does'],
    ['hook.ts', "import type { Counter } from 'prom-client'", 'only the metrics do'],
    ['policies/a.ts', "import ipaddr from 'ipaddr.js'", 'only clients read addresses'],
    ['plugin.ts', "import fastify from 'fastify'", 'a peer lends its types only'],
    ['clients/a.ts', "import type { FastifyJWT } from '@fastify/jwt'", 'a peer that need not be there'],
    ['plugin.ts', "import lodash from 'lodash'", 'a package without a row']
  ]
  for (const [path, source, why] of wrong) t.equal(breaches(path, source).length, 1, why)
})

t.test('an import by the tables is let through', async (t) => {
  const right: ReadonlyArray<readonly [path: string, source: string, why: string]> = [
    ['plugin.ts', "import { refuse } from './response/refuse.js'", 'the frame may use every room'],
    ['stores/memory/store.ts', "import { charge } from '../../algorithms/token-bucket.js'", 'stores run algorithms'],
    ['response/a.ts', "import type { Receipt } from '../stores/store.js'", 'plain types'],
    ['stores/redis/connect.ts', "import { Redis } from 'ioredis'", 'the one place for it'],
    ['clients/a.ts', "import { isIP } from 'node:net'", "Node's own modules"]
  ]
  for (const [path, source, why] of right) t.strictSame(breaches(path, source), [], why)
})
