import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import t from 'tap'
import { parseCommandLine } from '../../lib/cli/command-line.js'
import { manifest, PROGRAM, run, runProgram, startProgram } from './command.js'

/** Enough for an answer that is longer than a pipe holds at once. */
const RULES = 500

const misuses: ReadonlyArray<readonly [words: string, message: string]> = [
  ['', 'no command given'],
  ['--json', 'no command given'],
  ['chekc rate-limit.toml', 'unknown command "chekc", did you mean "check"?'],
  ['explain-everything', 'unknown command "explain-everything"'],
  ['rate-limit.toml', 'unknown command "rate-limit.toml", did you mean "check rate-limit.toml"?'],
  ['check --jsn rate-limit.toml', 'unknown option "--jsn", did you mean "--json"?'],
  ['check --no-json rate-limit.toml', 'unknown option "--no-json"'],
  ['check -x rate-limit.toml', 'unknown option "-x"'],
  ['check --json=yes rate-limit.toml', '--json takes no value, got "yes"'],
  ['check a.toml b.toml', 'check takes one file, got 2'],
  ['check', 'check needs the path of a file, and SLUICE_CONFIG is not set'],
  ['simulate', 'simulate needs --log with the path of a log, or - for standard input'],
  ['simulate access.log', 'simulate takes no argument "access.log", did you mean "--log access.log"?'],
  ['simulate --log', '--log needs a value'],
  ['simulate --log a --fial-over 1%', 'unknown option "--fial-over", did you mean "--fail-over"?'],
  ['simulate --log a --fail-over 101%', 'a share is a number such as 0.1% or 0.001, from 0% to 100%'],
  ['simulate --log a --reorder soon', '--reorder takes a duration such as 10s, up to an hour'],
  ['simulate --log a --flips b', '--flips needs --against'],
  ['simulate --log a --json --html', '--json and --html exclude each other'],
  ['check --log a', 'unknown option "--log"']
]
t.test('wrong usage is told, with the nearest word that is known', async (t) => {
  for (const [text, message] of misuses) {
    const words = text.split(' ').filter((word) => word !== '')
    t.strictSame(parseCommandLine(words, null), { kind: 'misuse', message }, text)
  }
  t.match(parseCommandLine(['check', ''], 'a.toml'), { kind: 'misuse', message: 'the path of the file is empty' })
})

t.test('wrong usage ends with 2, and stays in its line whatever was typed', async (t) => {
  t.strictSame(await run(['check', '--a\n\u001b[31m', 'rate-limit.toml']), {
    status: 2, stdout: '', stderr: 'fastify-sluice: unknown option "--a\\n\\u001b[31m"\nSee fastify-sluice --help.\n'
  })
})

t.test('--help tells every flag and exit status on standard output, whatever else is typed', async (t) => {
  const { status, stdout, stderr } = await run(['check', '--nonsense', '--help'])
  t.strictSame([status, stderr], [0, ''])
  for (const told of ['check [FILE]', '--env', '--explain', '--json', '--strict', '--help', '--version', 'SLUICE_CONFIG', '2 wrong usage']) t.match(stdout, told)
  t.ok(stdout.split('\n').every((line) => line.length <= 80), 'it fits a terminal')
  for (const words of [['--help'], ['-h']]) t.strictSame(parseCommandLine(words, null), { kind: 'help' })
})

t.test('--version is the package\'s', async (t) => {
  t.strictSame(parseCommandLine(['-v'], null), { kind: 'version' })
  t.strictSame(await run(['--version']), { status: 0, stdout: `${manifest.version}\n`, stderr: '' })
})

t.test('the program does with its own surroundings what the command does', async (t) => {
  const cwd = t.testdir({ 'a.toml': 'max = 5' })
  const env = { SLUICE_CONFIG: 'a.toml', SLUICE_TIME_WINDOW: '10s' }
  for (const words of [['check', '--env'], ['check', '--bad'], ['check', 'b.toml'], ['--help']]) {
    t.strictSame(await runProgram(words, { cwd, env }), await run(words, { cwd, env }), words.join(' '))
  }
})

t.test('two dashes make a file of what looks like a flag', async (t) => {
  t.strictSame(await run(['check', '--', '--json']), { status: 1, stdout: '', stderr: `--json: does not exist in ${process.cwd()}\n` })
})

t.test('a symlink, as in .bin, runs the command', async (t) => {
  const folder = t.testdir({ 'a.toml': 'max = -1', link: t.fixture('symlink', PROGRAM) })
  t.match(await runProgram(['--version'], { program: join(folder, 'link') }), { status: 0, stdout: manifest.version })
  t.match(await runProgram(['check', 'a.toml'], { program: join(folder, 'link'), cwd: folder }), { status: 1, stderr: /^a\.toml:1:1: max: / })
})

t.test('neither fastify, ioredis nor TypeBox is needed', async (t) => {
  // Not a folder in here, where both would be found.
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  cpSync('dist', join(folder, 'dist'), { recursive: true })
  cpSync('package.json', join(folder, 'package.json'))
  for (const name of ['@fastify/error', '@lukeed/ms', 'smol-toml']) {
    const link = join(folder, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(resolve('node_modules', name), link)
  }
  const program = join(folder, 'dist/cli/index.js')
  t.match(await runProgram(['check', resolve('test/config/file/bad/fraction.toml')], { program }), { status: 1, stderr: /fraction\.toml:\d+:\d+: / })
})

t.test('a reader that leaves early is no mistake', async (t) => {
  const rules = Array.from({ length: RULES }, (_, index) => `[[rules]]\nname = "rule-${index}"\nmatch = "/rule-${index}"\n`).join('')
  const cwd = t.testdir({ 'many.toml': rules })
  for (const output of ['stdout', 'stderr'] as const) {
    const child = startProgram(['check', 'many.toml', '--json'], { cwd })
    child[output].destroy()
    const other = output === 'stdout' ? child.stderr : child.stdout
    const [text, [status]] = await Promise.all([other.setEncoding('utf8').toArray(), once(child, 'close')])
    t.equal(status, 0)
    t.notMatch(text.join(''), 'EPIPE')
  }
})

t.test('a long answer reaches a slow reader whole', async (t) => {
  const rules = Array.from({ length: RULES }, (_, index) => `[[rules]]\nname = "rule-${index}"\nmatch = "/rule-${index}"\n`).join('')
  const child = startProgram(['check', 'many.toml', '--json'], { cwd: t.testdir({ 'many.toml': rules }) })
  // Nothing is read until the command has filled the pipe.
  await once(child.stdout, 'readable')
  const text = (await child.stdout.setEncoding('utf8').toArray()).join('')
  t.equal(JSON.parse(text).policies.length, RULES + 1)
})
