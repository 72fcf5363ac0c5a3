// A bundler puts an application with all that it imports into one file, far from the package. Each bundle runs where no
// package is installed, on a Redis: a script that is looked for on disk would be missed there, and only there.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { rollup } from 'rollup'
import t from 'tap'
import { installPacked } from '../fixtures/packed.js'
import { shareRedis } from '../fixtures/redis-server.js'

// Bundlers and npm are run, which takes long on a busy machine.
t.setTimeout(240_000)

// Redis decides, or nothing does: without its scripts every answer is a 503. It takes from a bucket, and clears all.
const APPLICATION = `
  import fastify from 'fastify'
  import { rateLimitPlugin } from 'fastify-sluice'
  async function main () {
    const app = fastify()
    await app.register(rateLimitPlugin, { max: 2, timeWindow: '1 hour', redis: process.env.REDIS_URL, failureMode: 'closed', deadline: 5000 })
    app.get('/', async () => 'hello')
    const statuses = []
    for (let sent = 0; sent < 3; sent++) statuses.push((await app.inject('/')).statusCode)
    await app.rateLimit.reset('ip:127.0.0.1')
    statuses.push((await app.inject('/')).statusCode)
    statuses.push((await app.inject('/metrics')).statusCode)
    await app.close()
    console.log(JSON.stringify(statuses))
  }
  main()
`

const folder = mkdtempSync(join(tmpdir(), 'fastify-sluice-bundles-'))
t.teardown(() => rmSync(folder, { recursive: true }))
installPacked(folder)
const entry = join(folder, 'application.mjs')
writeFileSync(entry, APPLICATION)
const installed = join(folder, 'node_modules/fastify-sluice')

// Each in a folder outside of the application, where nothing is installed.
function createTarget (name: string): string {
  const target = mkdtempSync(`${folder}-${name}-`)
  t.teardown(() => rmSync(target, { recursive: true }))
  return target
}

/** Bundle the application into a folder. Returns the file to run. */
type Bundle = (target: string) => Promise<string>

const BUNDLERS: Readonly<Record<string, Bundle>> = {
  'esbuild, as an ES module': async (target) => {
    const outfile = join(target, 'bundle.mjs')
    // Packages in CommonJS call require, which an ES module has not: the banner that the guide of esbuild has for it.
    const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" }
    await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', banner, logLevel: 'error' })
    return outfile
  },

  'esbuild, as an ES module, minified and split': async (target) => {
    const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" }
    await build({
      entryPoints: [entry], outdir: target, outExtension: { '.js': '.mjs' }, bundle: true, splitting: true, minify: true, platform: 'node', format: 'esm', banner, logLevel: 'error'
    })
    return join(target, 'application.mjs')
  },

  'esbuild, as CommonJS': async (target) => {
    const outfile = join(target, 'bundle.cjs')
    await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'cjs', logLevel: 'error' })
    return outfile
  },

  ncc: async (target) => {
    execFileSync(process.execPath, [fileURLToPath(import.meta.resolve('@vercel/ncc/dist/ncc/cli.js')), 'build', entry, '--quiet', '--out', target], { encoding: 'utf8' })
    return join(target, readdirSync(target).find((name) => name.startsWith('index.'))!)
  },

  // It reads ES modules only: the packages in CommonJS stay outside, as its users have it on a server.
  rollup: async (target) => {
    const { exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { exports: { '.': { import: { default: string } } } }
    const bundle = await rollup({
      input: entry,
      external: (id) => /^[^./]/.test(id) && id !== 'fastify-sluice',
      plugins: [{ name: 'resolve', resolveId: (id) => id === 'fastify-sluice' ? join(installed, exports['.'].import.default) : null }]
    })
    await bundle.write({ dir: target, entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' })
    await bundle.close()
    installPacked(target)
    rmSync(join(target, 'node_modules/fastify-sluice'), { recursive: true })
    return join(target, 'application.mjs')
  }
}

for (const [name, bundle] of Object.entries(BUNDLERS)) {
  t.test(`an application limits by Redis after ${name}`, async (t) => {
    const file = await bundle(createTarget(name.replace(/\W+/g, '-')))
    const { url } = await shareRedis()
    const output = execFileSync(process.execPath, ['--no-warnings', file], { cwd: dirname(file), encoding: 'utf8', env: { ...process.env, REDIS_URL: url } })
    t.strictSame(JSON.parse(output), [200, 200, 429, 200, 200])
  })
}

// For bundlers and transformers that are not tried here, such as Jest with Babel: what they cannot know of is not used.
t.test('no module that an application imports asks where it is, or needs more than import', async (t) => {
  const visited = new Set<string>()
  const found: string[] = []
  const visit = (path: string): void => {
    if (visited.has(path)) return
    visited.add(path)
    const code = readFileSync(path, 'utf8')
    for (const [use] of code.matchAll(/\bimport\.meta\b|\b__(?:dir|file)name\b|\bcreateRequire\b|\brequire\(/g)) found.push(`${use} in ${path}`)
    for (const [, from] of code.matchAll(/\b(?:from|import|import\()\s*'([^']+)'/g)) {
      if (from.startsWith('.')) visit(join(dirname(path), from))
    }
  }
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, { import?: { default: string } }> }
  for (const entry of Object.values(exports)) if (entry.import !== undefined) visit(entry.import.default)
  t.strictSame(found, [])
  t.ok(visited.size > 3)
})
