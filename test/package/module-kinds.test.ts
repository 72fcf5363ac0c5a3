// The packed package in a TypeScript application of each kind of module: what is imported has types, and the compiled file runs.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { isFullLane } from '../fixtures/lane.js'
import { installPacked } from '../fixtures/packed.js'

// npm is run, and a compiler, which takes long on a busy machine.
t.setTimeout(300_000)

const application = mkdtempSync(join(tmpdir(), 'fastify-sluice-modules-'))
t.teardown(() => rmSync(application, { recursive: true }))
installPacked(application)

const LIMITED = `
  async function main () {
    const app = fastify()
    await app.register(plugin, { max: 2, timeWindow: '1 minute' })
    app.get('/', async () => 'hello')
    const statuses: number[] = []
    for (let sent = 0; sent < 3; sent++) statuses.push((await app.inject('/')).statusCode)
    await app.close()
    console.log(JSON.stringify(statuses))
  }
  void main()
`

const NATIVE = `
  import { fastify } from 'fastify'
  import plugin, { rateLimitPlugin, RateLimitError, type Client, type Store } from 'fastify-sluice'
  import { storeContract } from 'fastify-sluice/store-contract'
  import { ManualClock } from 'fastify-sluice/testing'
  declare module 'fastify-sluice' { interface Client { readonly plan?: string } }
  export const refusal = (error: RateLimitError): number => error.statusCode
  export const planOf = (client: Client): string => client.plan ?? client.id
  export type Take = Store['take']
  export const clock: ManualClock = new ManualClock()
  console.error(RateLimitError, plugin === rateLimitPlugin, storeContract())
`

const NATIVE_REQUIRED = `
  import { fastify } from 'fastify'
  import sluice = require('fastify-sluice')
  import contract = require('fastify-sluice/store-contract')
  import testing = require('fastify-sluice/testing')
  const plugin = sluice.rateLimitPlugin
  export type Store = sluice.Store
  export const clock: testing.ManualClock = new testing.ManualClock()
  console.error(sluice.default, contract.storeContract())
`

// As programs use the types of the original: by the plugin's namespace, and extended by what they need themselves.
const COMPAT_TYPES = `
  declare module 'fastify-sluice/compat' {
    interface CreateRateLimitOptions { audience?: 'staff' | 'all' }
    interface FastifyRateLimitOptions { table: string }
    interface errorResponseBuilderContext { trace: string }
  }
  export const options: plugin.RateLimitPluginOptions = { audience: 'all', max: 2, errorResponseBuilder: (_req, { trace, max }) => ({ trace, max }) }
  export const route: plugin.RateLimitOptions = options
  export class Store implements plugin.FastifyRateLimitStore {
    table: number
    constructor ({ table }: plugin.FastifyRateLimitOptions) { this.table = table.length }
    incr (_key: string, callback: (error: Error | null, result?: { current: number, ttl: number }) => void): void { callback(null, { current: 1, ttl: 1 }) }
    child = (route: RouteOptions & { path: string, prefix: string }): Store => { console.log(route.path); return this }
  }
  const store: plugin.FastifyRateLimitStoreCtor = Store
  export function declareRoutes (app: FastifyInstance): void {
    app.get('/audience', { config: { rateLimit: { audience: 'staff', store } }, preHandler: app.rateLimit(route) }, async () => 'hello')
    const limiter = app.createRateLimit({ audience: 'all' })
    app.get('/code', async (request) => (await limiter(request)).isAllowed)
  }
  console.error(plugin.normalizeIP('::1'), plugin.fastifyRateLimit, plugin.default)
`

const COMPAT = `
  import { fastify, type FastifyInstance, type RouteOptions } from 'fastify'
  import plugin, { fastifyRateLimit, normalizeIP, type RateLimitHook, type RateLimitOptions } from 'fastify-sluice/compat'
  ${COMPAT_TYPES}
  export const ofRoute: RateLimitOptions = { audience: 'staff', hook: 'preHandler' satisfies RateLimitHook }
  console.error(fastifyRateLimit, normalizeIP('::1', 64))
`

const COMPAT_REQUIRED = `
  import { fastify, type FastifyInstance, type RouteOptions } from 'fastify'
  import plugin = require('fastify-sluice/compat')
  ${COMPAT_TYPES}
`

/** Files of one program: what the two entries say of Fastify excludes each other. */
type Sources = Readonly<Record<string, string>>

const PROGRAMS: readonly Sources[] = [
  { 'native.mts': NATIVE, 'native.cts': NATIVE, 'native-required.cts': NATIVE_REQUIRED },
  { 'compat.mts': COMPAT, 'compat.cts': COMPAT, 'compat-required.cts': COMPAT_REQUIRED }
]

interface Kind {
  readonly module: keyof typeof ts.ModuleKind
  readonly resolution: keyof typeof ts.ModuleResolutionKind
  readonly endings: RegExp
  readonly interop?: boolean
  /** Tried in the full lane only: it differs little from another one. */
  readonly isAlike?: boolean
}

const KINDS: readonly Kind[] = [
  { module: 'Node16', resolution: 'Node16', endings: /\.[cm]ts$/, isAlike: true },
  { module: 'Node18', resolution: 'Node16', endings: /\.[cm]ts$/ },
  { module: 'NodeNext', resolution: 'NodeNext', endings: /\.[cm]ts$/, isAlike: true },
  { module: 'Preserve', resolution: 'Bundler', endings: /\.[cm]ts$/ },
  { module: 'CommonJS', resolution: 'Node10', endings: /\.cts$/ },
  { module: 'CommonJS', resolution: 'Node10', endings: /\.cts$/, interop: false, isAlike: true }
]

const files = new Map<string, ts.SourceFile | undefined>()

interface Compiled {
  /** In the application and in the package's declarations. */
  readonly errors: readonly string[]
  readonly outputs: readonly string[]
}

function compile (paths: readonly string[], { module, resolution, interop = true }: Kind): Compiled {
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind[module],
    moduleResolution: ts.ModuleResolutionKind[resolution],
    target: ts.ScriptTarget.ES2023,
    strict: true,
    esModuleInterop: interop,
    typeRoots: [join(process.cwd(), 'node_modules/@types')],
    types: ['node']
  }
  const host = ts.createCompilerHost(options)
  const { getSourceFile } = host
  // Libraries are read once.
  host.getSourceFile = (name, settings, ...rest) => {
    const key = `${name} ${JSON.stringify(settings)}`
    if (!files.has(key)) files.set(key, getSourceFile(name, settings, ...rest))
    return files.get(key)
  }
  const program = ts.createProgram(paths, options, host)
  const outputs: string[] = []
  const write = (name: string, text: string): void => {
    outputs.push(name)
    writeFileSync(name, text)
  }
  // Of these files only, but with the package's declarations: to check all of Node.js's and Fastify's takes most of the time.
  const ours = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(application) || fileName.includes('/fastify-sluice/'))
  const errors = [...program.getOptionsDiagnostics(), ...ours.flatMap((file) => ts.getPreEmitDiagnostics(program, file))]
    .map(({ file, code, messageText }) => `${basename(file?.fileName ?? '')}: TS${code} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`)
  for (const file of ours.filter(({ isDeclarationFile }) => !isDeclarationFile)) program.emit(file, write)
  return { errors, outputs }
}

for (const kind of KINDS.filter(({ isAlike = false }) => isFullLane || !isAlike)) {
  for (const sources of PROGRAMS) {
    const names = Object.keys(sources).filter((name) => kind.endings.test(name))
    if (names.length === 0) continue
    t.test(`module ${kind.module}${kind.interop === false ? ' without esModuleInterop' : ''}: types, and a run, of ${names.join(', ')}`, async (t) => {
      const paths = names.map((name) => join(application, name))
      for (const [index, path] of paths.entries()) writeFileSync(path, `${sources[names[index]]}${LIMITED}`)
      const { errors, outputs } = compile(paths, kind)
      t.strictSame(errors, [])
      t.equal(outputs.length, paths.length)
      // A bundler keeps import = require in what it is given: nothing can run that as it is.
      if (errors.length > 0 || kind.module === 'Preserve') return
      for (const output of outputs) {
        const printed = execFileSync(process.execPath, [output], { cwd: application, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
        t.equal(printed, '[200,200,429]\n', basename(output))
      }
    })
  }
}
