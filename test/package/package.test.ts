import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import t from 'tap'

const root = process.cwd()

interface PackedFile { readonly path: string }

/** The package as npm would publish it, unpacked where an application would have it. */
function installPacked (application: string): readonly string[] {
  const output = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--loglevel=error', `--pack-destination=${application}`], { encoding: 'utf8' })
  const [{ filename, files }] = JSON.parse(output) as [{ filename: string, files: PackedFile[] }]
  const modules = join(application, 'node_modules')
  mkdirSync(join(modules, 'fastify-sluice'), { recursive: true })
  execFileSync('tar', ['-xzf', join(application, filename), '-C', join(modules, 'fastify-sluice'), '--strip-components=1'])
  // What npm would install beside it. Only these: an import of anything else must fail.
  const { dependencies, peerDependencies } = readManifest()
  for (const name of Object.keys({ ...dependencies, ...peerDependencies })) {
    const link = join(modules, name)
    mkdirSync(resolve(link, '..'), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), link)
  }
  return files.map(({ path }) => path)
}

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>
}

function readManifest (): Manifest {
  return JSON.parse(readFileSync('package.json', 'utf8')) as Manifest
}

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

t.test('the packed package', async (t) => {
  // Not a folder in here: below our own package.json the name would mean this checkout.
  const application = mkdtempSync(join(tmpdir(), 'fastify-sluice-'))
  t.teardown(() => rmSync(application, { recursive: true }))
  const paths = installPacked(application)

  t.test('holds what users need, and nothing else', async (t) => {
    const others = paths.filter((path) => !/^dist\/.+\.(js|d\.ts|lua)$/.test(path))
    t.strictSame(others.sort(), ['.env.example', 'CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', 'rate-limit.example.toml', 'rate-limit.schema.json'])
    t.ok(paths.includes('dist/index.js'))
    t.ok(paths.includes('dist/index.d.ts'))
    t.ok(paths.includes('dist/compat/types.d.ts'))
  })

  for (const { type, source } of MODULE_SYSTEMS) {
    t.test(`limits an app that loads it by ${source.match(/(import|require).*?fastify-sluice[^']*'\)?/)![0].split('; ').at(-1)}`, async (t) => {
      const output = execFileSync(process.execPath, ['--no-warnings', `--input-type=${type}`, '--eval', source], { cwd: application, encoding: 'utf8' })
      t.strictSame(JSON.parse(output), [200, 200, 429])
    })
  }
})

t.test('every dependency is used', async (t) => {
  const { scripts, dependencies, devDependencies, peerDependencies, peerDependenciesMeta } = readManifest()
  const lib = filesUnder('lib')
  // An optional one the application registers itself, and lib calls only what it adds to a request.
  const required = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true)
  for (const name of [...Object.keys(dependencies), ...required]) t.ok(isImported(name, lib), `lib imports ${name}`)

  // Some are run by name, or needed by another: the compiler's types, and the Fastify that is tested against.
  const commands = Object.values(scripts).join(' ')
  const elsewhere = [...filesUnder('test', 'types', 'examples', 'bench', '.ci'), 'eslint.config.js']
  for (const name of Object.keys(devDependencies)) {
    const isUsed = name === '@types/node' || commands.split(' ').includes(name) || isImported(name, elsewhere)
    t.ok(isUsed, `${name} is imported or run outside lib`)
  }
})

t.test('installing runs no script', async (t) => {
  const { scripts } = readManifest()
  t.strictSame(Object.keys(scripts).filter((name) => /^(pre|post)?(install|prepare)$/.test(name)), [])
})
