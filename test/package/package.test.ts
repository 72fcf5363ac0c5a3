import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { installPacked, readManifest } from '../fixtures/packed.js'

// Compilers and npm are run, which takes long on a busy machine.
t.setTimeout(240_000)

const root = process.cwd()

function filesUnder (...places: readonly string[]): string[] {
  return places.flatMap((place) => readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(js|ts)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name)))
}

/** Whether some file imports the package or a path in it. */
function isImported (name: string, files: readonly string[]): boolean {
  const specifier = new RegExp(`['"]${name.replaceAll('.', '\\.')}(/[^'"]*)?['"]`)
  return files.some((file) => specifier.test(readFileSync(file, 'utf8')))
}

// What a user's application does, in each module system. It answers with the statuses of three requests.
const APPLICATION = `
  const app = fastify()
  await app.register(rateLimitPlugin, { max: 2, timeWindow: '1 minute' })
  app.get('/', async () => 'hello')
  const statuses = []
  for (let sent = 0; sent < 3; sent++) statuses.push((await app.inject('/')).statusCode)
  await app.close()
  console.log(JSON.stringify(statuses))
`

const MODULE_SYSTEMS = [
  { type: 'module', source: `import fastify from 'fastify'; import rateLimitPlugin from 'fastify-sluice'; ${APPLICATION}` },
  { type: 'module', source: `import fastify from 'fastify'; import { rateLimitPlugin } from 'fastify-sluice'; ${APPLICATION}` },
  // What require() answers is the module: its default export has a name.
  { type: 'commonjs', source: `const fastify = require('fastify'); const { default: rateLimitPlugin } = require('fastify-sluice'); (async () => {${APPLICATION}})()` },
  { type: 'commonjs', source: `const fastify = require('fastify'); const { rateLimitPlugin } = require('fastify-sluice'); (async () => {${APPLICATION}})()` },
  // An application that moves changes the name of the package, and nothing else.
  { type: 'module', source: `import fastify from 'fastify'; import rateLimitPlugin from 'fastify-sluice/compat'; ${APPLICATION}` },
  { type: 'module', source: `import fastify from 'fastify'; import { fastifyRateLimit as rateLimitPlugin } from 'fastify-sluice/compat'; ${APPLICATION}` },
  { type: 'commonjs', source: `const fastify = require('fastify'); const rateLimitPlugin = require('fastify-sluice/compat'); (async () => {${APPLICATION}})()` },
  { type: 'commonjs', source: `const fastify = require('fastify'); const { fastifyRateLimit: rateLimitPlugin } = require('fastify-sluice/compat'); (async () => {${APPLICATION}})()` }
]

const TYPED_APPLICATION = `
  import fastify from 'fastify'
  import { rateLimitPlugin, RateLimitOptionsSchema, RouteRateLimitSchema, type Store } from 'fastify-sluice'
  import { storeContract } from 'fastify-sluice/store-contract'
  import { ManualClock } from 'fastify-sluice/testing'
  const app = fastify()
  void app.register(rateLimitPlugin, { max: 2, timeWindow: '1 minute', clock: new ManualClock() })
  app.get('/', { config: { rateLimit: { max: 5, timeWindow: '1s' } } }, async (request) => request.rateLimit?.remaining ?? null)
  console.log(RateLimitOptionsSchema.properties.max, RouteRateLimitSchema.properties.cost)
  declare const store: Store
  for (const { title, run } of storeContract()) console.log(title, run(() => ({ store, advance () {} })))
`

/** What TypeScript makes of it in an application of either kind. */
function compile (application: string): { readonly status: number | null, readonly stdout: string } {
  const files = ['application.mts', 'application.cts'].map((name) => join(application, name))
  for (const file of files) writeFileSync(file, TYPED_APPLICATION)
  return spawnSync(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2023',
    '--typeRoots', join(root, 'node_modules/@types'), '--types', 'node', ...files
  ], { cwd: application, encoding: 'utf8' })
}

/** Unpacked. A limit to notice by when something is packed that nobody needs; raise it for what somebody does. */
const MOST_BYTES = 1_310_000

t.test('the packed package', async (t) => {
  // Not a folder in here: below our own package.json the name would mean this checkout.
  const application = mkdtempSync(join(tmpdir(), 'fastify-sluice-'))
  t.teardown(() => rmSync(application, { recursive: true }))
  const files = installPacked(application)
  const paths = files.map(({ path }) => path)

  t.test('holds what users need, and nothing else', async (t) => {
    const others = paths.filter((path) => !/^dist\/.+\.(c?js|d\.c?ts)$/.test(path))
    t.strictSame(others.sort(), ['.env.example', 'CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', 'rate-limit.example.toml', 'rate-limit.schema.json'])
    t.ok(paths.includes('dist/index.js'))
    const entries = ['', 'compat/', 'store-contract/', 'testing/'].flatMap((folder) => [`dist/${folder}index.d.cts`, `dist/${folder}index.d.ts`])
    t.strictSame(paths.filter((path) => /\.d\.c?ts$/.test(path)).sort(), [...entries, 'dist/shared.d.ts', 'dist/shared2.d.ts'].sort())
    const bytes = files.reduce((sum, { size }) => sum + size, 0)
    t.ok(bytes < MOST_BYTES, `${bytes} bytes unpacked`)
  })

  t.test('its code has no comments, its declarations keep theirs', async (t) => {
    const folder = join(application, 'node_modules/fastify-sluice/dist')
    for (const path of filesUnder(folder).filter((path) => path.endsWith('.js'))) {
      t.notMatch(readFileSync(path, 'utf8'), /^\s*(?:\/\/|\/\*)|\\n *-- /m, path)
    }
    t.match(readFileSync(join(folder, 'index.d.ts'), 'utf8'), '/**')
  })

  t.test('an application on the memory store loads few files and packages, and none that only others need', async (t) => {
    const files = new Set<string>()
    const packages = new Set<string>()
    const visit = (path: string): void => {
      if (files.has(path)) return
      files.add(path)
      for (const [, from] of readFileSync(path, 'utf8').matchAll(/^(?:import|export) [^'"]*['"]([^'"]+)['"]/gm)) {
        if (from.startsWith('.')) visit(join(path, '..', from))
        else if (!isBuiltin(from)) packages.add(from)
      }
    }
    visit(join(application, 'node_modules/fastify-sluice/dist/index.js'))
    t.strictSame([...packages].sort(), ['@fastify/error', '@lukeed/ms', 'fastify-plugin', 'ipaddr.js'])
    t.ok(files.size <= 5, `${files.size} files`)
  })

  t.test('its entries share what they have in common: no class is there twice', async (t) => {
    const code = paths.filter((path) => path.endsWith('.js')).map((path) => readFileSync(join(application, 'node_modules/fastify-sluice', path), 'utf8'))
    t.ok(code.length <= 15, `${code.length} files of code`)
    const classes = code.flatMap((text) => Array.from(text.matchAll(/^(?:export )?class (\w+)/gm), ([, name]) => name))
    t.ok(classes.length > 50)
    t.strictSame(classes.filter((name, index) => classes.indexOf(name) !== index), [])
  })

  t.test('its types hold for ES modules, and for CommonJS that requires it', async (t) => {
    const { status, stdout } = compile(application)
    t.equal(stdout, '')
    t.equal(status, 0)
  })

  t.test('finds out by itself that a store is none', async (t) => {
    const source = "import { storeContract } from 'fastify-sluice/store-contract'; const [{ run }] = storeContract(); await run(() => ({ store: { take: () => ({ unavailable: 'error' }) }, advance () {} })).catch(({ code }) => console.log(code))"
    t.equal(execFileSync(process.execPath, ['--input-type=module', '--eval', source], { cwd: application, encoding: 'utf8' }), 'ERR_ASSERTION\n')
  })

  for (const { type, source } of MODULE_SYSTEMS) {
    t.test(`limits an app that loads it by ${source.match(/(import|require).*?fastify-sluice[^']*'\)?/)![0].split('; ').at(-1)}`, async (t) => {
      const output = execFileSync(process.execPath, ['--no-warnings', `--input-type=${type}`, '--eval', source], { cwd: application, encoding: 'utf8' })
      t.strictSame(JSON.parse(output), [200, 200, 429])
    })
  }
})

/** What a script may call a package by: the names of its programs, where its manifest lists some. */
function commandsOf (name: string): readonly string[] {
  const { bin } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')) as { bin?: string | Readonly<Record<string, string>> }
  return typeof bin === 'object' ? Object.keys(bin) : [name]
}

t.test('every dependency is used', async (t) => {
  const { scripts, dependencies, devDependencies, peerDependencies, peerDependenciesMeta } = readManifest()
  const lib = filesUnder('lib')
  // An optional one the application registers itself, and lib calls only what it adds to a request.
  const required = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true)
  for (const name of [...Object.keys(dependencies), ...required]) t.ok(isImported(name, lib), `lib imports ${name}`)

  // Some are run by name, or needed by another: the compiler's types, and the Fastify that is tested against.
  const commands = Object.values(scripts).join(' ').split(' ')
  const elsewhere = [...filesUnder('test', 'types', 'examples', 'bench', '.ci'), 'eslint.config.js']
  const { plugin: plugins } = JSON.parse(readFileSync('typedoc.json', 'utf8')) as { plugin: readonly string[] }
  for (const name of Object.keys(devDependencies)) {
    const hasTypesOfLib = name === '@types/node' || isImported(name.replace('@types/', ''), lib)
    const isUsed = hasTypesOfLib || plugins.includes(name) || commandsOf(name).some((command) => commands.includes(command)) || isImported(name, elsewhere)
    t.ok(isUsed, `${name} is imported or run outside lib`)
  }
})

interface LockedPackage {
  readonly version?: string
  readonly license?: string
  readonly integrity?: string
  readonly deprecated?: string
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
}

/** What the lock file says about each package that comes with this one, by the folder it is installed in. */
function lockedForUsers (): ReadonlyArray<readonly [folder: string, LockedPackage]> {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, LockedPackage> }
  return Object.entries(packages).filter(([folder, { dev }]) => folder !== '' && dev !== true)
}

t.test('installing runs no script, of this package or of one that comes with it', async (t) => {
  const { scripts } = readManifest()
  t.strictSame(Object.keys(scripts).filter((name) => /^(pre|post)?(install|prepare)$/.test(name)), [])
  t.strictSame(lockedForUsers().filter(([, { hasInstallScript }]) => hasInstallScript === true), [])
})

t.test('what comes with it is locked by its contents, may be used freely and is not given up', async (t) => {
  for (const [folder, { version, license, integrity, deprecated }] of lockedForUsers()) {
    t.match(integrity, /^sha512-/, `${folder} ${version}`)
    t.match(license, /^(MIT|ISC|Apache-2\.0|BSD-[23]-Clause)$/, `the licence of ${folder}`)
    t.equal(deprecated, undefined, `${folder} is not deprecated`)
  }
})

t.test('npm makes a bill of materials of all that comes with it', async (t) => {
  // `npm sbom --omit dev` leaves out what a development dependency needs as well, so it is asked where there are none.
  const folder = mkdtempSync(join(tmpdir(), 'fastify-sluice-sbom-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const { devDependencies, ...manifest } = readManifest()
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, LockedPackage> }
  const { '': { ...top } } = lock.packages as Record<string, Record<string, unknown>>
  delete top.devDependencies
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, peerDependencies: {} }))
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ ...lock, packages: { '': { ...top, peerDependencies: {} }, ...Object.fromEntries(lockedForUsers()) } }))
  const output = execFileSync('npm', ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx'], { cwd: folder, encoding: 'utf8' })
  const { components } = JSON.parse(output) as { components: ReadonlyArray<{ readonly purl: string, readonly hashes?: readonly unknown[] }> }
  const expected = lockedForUsers().map(([path, { version }]) => `pkg:npm/${path.replace(/^.*node_modules\//, '').replace('@', '%40')}@${version}`)
  t.strictSame(components.map(({ purl }) => purl).sort(), expected.sort())
  t.ok(components.every(({ hashes = [] }) => hashes.length > 0))
})
