import type { TSchema } from '@sinclair/typebox'
import { FST_SLUICE_BAD_OPTION, FST_SLUICE_CONTRADICTION } from '../errors.js'
import { badOption, mistakesIn } from './check.js'
import { DURATION_EXPECTED, durationMs } from './durations.js'
import { levelOf } from './environment-names.js'
import { EnvironmentSchema, REDIS_EXPECTED } from './environment-schema.js'
import { UNIX } from './identity-schema.js'
import type { ConfigPath, LayerOptions } from './layer.js'
import { cidrsOf } from './network-list.js'
import { checkRedisTarget } from './redis-target.js'

type PlaceOf = (path: ConfigPath) => string

/** What is wrong with options from the environment, as far as they can be judged by themselves. */
export function mistakesInOptions (options: unknown, placeOf: PlaceOf): readonly Error[] {
  const mistakes = [...mistakesIn(EnvironmentSchema, options, placeOf), ...durationMistakes(EnvironmentSchema, options, [], placeOf)]
  if (!isWellFormed(options, mistakes)) return mistakes
  return [...twinMistakes(options, placeOf), ...networkMistakes(options, placeOf), ...redisMistakes(options, placeOf)]
}

/** Whether nothing is wrong with the form of options, so that what they mean can be looked at. */
function isWellFormed (_options: unknown, mistakes: readonly Error[]): _options is LayerOptions {
  return mistakes.length === 0
}

function durationMistakes (schema: TSchema, value: unknown, path: ConfigPath, placeOf: PlaceOf): Error[] {
  if (schema.expected === DURATION_EXPECTED) {
    // Another type is the schema's business, and a function is of a limit below.
    const isTold = typeof value !== 'string' && typeof value !== 'number'
    return isTold || durationMs(value) !== null ? [] : [badOption(placeOf(path), DURATION_EXPECTED, value)]
  }
  const level = levelOf(schema)
  if (level === null || typeof value !== 'object' || value === null) return []
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return entries.flatMap(([step, inner]: readonly [string | number, unknown]) => {
    const below = level.kind === 'options' ? level.schemas.get(String(step)) : level.schema
    return below === undefined ? [] : durationMistakes(below, inner, [...path, step], placeOf)
  })
}

/** Layers are laid over each other by the names of rules, so one of two alike would be lost. */
function twinMistakes ({ rules = [] }: LayerOptions, placeOf: PlaceOf): Error[] {
  return rules.flatMap(({ name }, index) => {
    const twin = rules.findIndex((rule) => rule.name === name)
    return twin === index ? [] : [new FST_SLUICE_CONTRADICTION(placeOf(['rules', index, 'name']), `rules[${twin}] has the name "${name}" already`)]
  })
}

function networkMistakes ({ trustedProxies, exempt }: LayerOptions, placeOf: PlaceOf): Error[] {
  return [
    ...thrownBy(() => cidrsOf(trustedProxies ?? [], placeOf(['trustedProxies']), [UNIX])),
    ...thrownBy(() => cidrsOf(exempt?.ips ?? [], placeOf(['exempt', 'ips'])))
  ]
}

function redisMistakes ({ redis }: LayerOptions, placeOf: PlaceOf): Error[] {
  if (redis === undefined) return []
  const place = placeOf(['redis'])
  // A password is where the URL is, and a URL with a mistake may be cut up anywhere.
  return thrownBy(() => checkRedisTarget(redis, place)).map((error) => repeatsTextOf(redis, error.message) ? hidden(place) : error)
}

function hidden (place: string): Error {
  return new FST_SLUICE_BAD_OPTION(place, REDIS_EXPECTED, 'what is not shown, for it may hold a password')
}

/** Whether a message may show some text of the value: any of a URL's, or one that the value holds. */
function repeatsTextOf (value: unknown, message: string): boolean {
  if (typeof value === 'string') return true
  return textsIn(value).some((text) => message.includes(JSON.stringify(text).slice(0, 40)))
}

function textsIn (value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

function thrownBy (check: () => void): Error[] {
  try {
    check()
    return []
  } catch (error) {
    if (error instanceof Error) return [error]
    throw error
  }
}
