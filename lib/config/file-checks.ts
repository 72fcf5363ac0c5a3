import { FST_SLUICE_BAD_OPTION, FST_SLUICE_CONTRADICTION } from '../errors.js'
import { badOption, mistakesIn } from './check.js'
import { DURATION_EXPECTED, durationMs } from './durations.js'
import { codeOnlyIn, ConfigFileSchema } from './file-schema.js'
import { UNIX } from './identity-schema.js'
import type { ConfigPath } from './layer.js'
import type { Mistakes } from './mistakes.js'
import { cidrsOf } from './network-list.js'
import { NAME_EXPECTED } from './notation.js'
import { checkRedisTarget } from './redis-target.js'
import { valuesIn } from './schema-values.js'

/** Options of a file, before anything is known about them. */
type Table = Readonly<Record<string, unknown>>

/** Collect what is wrong with a file's options by themselves. What is wrong only in company shows when the layers are merged. */
export function checkFileOptions (options: Table, mistakes: Mistakes): void {
  checkCodeOnly(options, mistakes)
  checkNames(options, mistakes)
  checkSchema(options, mistakes)
  for (const { schema, value, path } of valuesIn(ConfigFileSchema, options)) {
    if (schema.expected === DURATION_EXPECTED && durationMs(value) === null) mistakes.tell(path, (place) => badOption(place, DURATION_EXPECTED, value))
    if (isTable(value) && Array.isArray(value.limits)) checkLimits(value, path, mistakes)
    if (Array.isArray(value)) checkTwins(value, path, mistakes)
  }
  for (const [path, check] of otherChecks(options)) {
    if (mistakes.isClean(path)) tellThrown(path, check, mistakes)
  }
}

function checkCodeOnly (options: Table, mistakes: Mistakes): void {
  for (const path of codeOnlyIn(options)) {
    mistakes.tell(path, (place) => new FST_SLUICE_CONTRADICTION(place, 'belongs in the code that registers the plugin; a file cannot hold it'))
  }
  if ('configFile' in options) {
    mistakes.tell(['configFile'], (place) => new FST_SLUICE_CONTRADICTION(place, 'a config file cannot name another; give it to register, or as RATE_LIMIT_CONFIG'))
  }
}

/** The schema would tell them too, but of the table around them. */
function checkNames (options: Table, mistakes: Mistakes): void {
  for (const { schema: { patternProperties }, value, path } of valuesIn(ConfigFileSchema, options)) {
    if (patternProperties === undefined || !isTable(value)) continue
    for (const name of Object.keys(value).filter((key) => !Object.keys(patternProperties).some((pattern) => new RegExp(pattern).test(key)))) {
      mistakes.tell([...path, name], (place) => badOption(place, NAME_EXPECTED, name))
    }
  }
}

function checkSchema (options: Table, mistakes: Mistakes): void {
  const paths: ConfigPath[] = []
  const errors = mistakesIn(ConfigFileSchema, options, (path) => {
    paths.push(path)
    return mistakes.placeOf(path)
  })
  errors.forEach((error, index) => mistakes.tell(paths[index], () => error))
}

function checkLimits (policy: Table, path: ConfigPath, mistakes: Mistakes): void {
  for (const field of ['max', 'timeWindow', 'burst']) {
    if (policy[field] === undefined) continue
    mistakes.tell([...path, field], (place) => new FST_SLUICE_CONTRADICTION(place, 'contradicts limits; put it into one of them'))
  }
}

/** Rules are known by their names, and so are the limits of a policy. */
function checkTwins (list: readonly unknown[], path: ConfigPath, mistakes: Mistakes): void {
  const indexOfName = new Map<unknown, number>()
  list.forEach((item, index) => {
    if (!isTable(item) || item.name === undefined) return
    const twin = indexOfName.get(item.name)
    if (twin === undefined) indexOfName.set(item.name, index)
    else mistakes.tell([...path, index, 'name'], (place) => new FST_SLUICE_CONTRADICTION(place, `${path[path.length - 1]}[${twin}] has the name "${item.name}" already`))
  })
}

/** What other rooms of the options check themselves: they throw at the first mistake, and go on from the place they are told. */
function otherChecks ({ trustedProxies, exempt, redis }: Table): Array<readonly [path: ConfigPath, check: (place: string) => void]> {
  return [
    ...networkChecks(trustedProxies, ['trustedProxies'], [UNIX]),
    ...(isTable(exempt) ? networkChecks(exempt.ips, ['exempt', 'ips']) : []),
    ...(redis === undefined ? [] : [[['redis'], (place: string) => checkRedis(redis, place)] as const])
  ]
}

function networkChecks (list: unknown, path: ConfigPath, words?: readonly string[]): Array<readonly [path: ConfigPath, check: (place: string) => void]> {
  return Array.isArray(list) ? [[path, (place) => cidrsOf(list, place, words)]] : []
}

function checkRedis (redis: unknown, place: string): void {
  const error = thrownBy(() => checkRedisTarget(redis, place))
  if (error === null) return
  // Before an "@" there is a password. Where one is not percent-encoded, the URL falls apart in the middle of it.
  const mayTellSecret = typeof redis === 'string' ? redis.includes('@') : error.message.slice(place.length).includes('@')
  throw mayTellSecret ? new FST_SLUICE_BAD_OPTION(place, 'a URL, its user and password percent-encoded, or a table of ioredis options', '***') : error
}

/**
 * Tell what a check throws, at the place of the very value. Only the check knows which one that is: asked about a place
 * without a name, it tells the way from there.
 */
function tellThrown (path: ConfigPath, check: (place: string) => void, mistakes: Mistakes): void {
  const wayTo = thrownBy(() => check(''))?.message.split(': ', 1)[0]
  if (wayTo === undefined) return
  const place = mistakes.placeOf([...path, ...stepsOf(wayTo)])
  const error = thrownBy(() => check(place.endsWith(wayTo) ? place.slice(0, place.length - wayTo.length) : place))
  if (error !== null) mistakes.tell([...path, ...stepsOf(wayTo)], () => error)
}

function stepsOf (text: string): ConfigPath {
  return Array.from(text.matchAll(/\[(\d+)\]|[^.[]+/g), ([step, index]) => index === undefined ? step : Number(index))
}

function thrownBy (check: () => void): Error | null {
  try {
    check()
    return null
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
}

function isTable (value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
