import { environmentForm } from './environment-schema.js'
import type { ConfigPath } from './layer.js'
import { tellLayerMistakes } from './layer-checks.js'
import { Mistakes } from './mistakes.js'

/** What is wrong with options from the environment, as far as they can be judged by themselves. */
export function mistakesInOptions (options: unknown, placeOf: (path: ConfigPath) => string): readonly Error[] {
  const mistakes = new Mistakes(placeOf)
  tellLayerMistakes(environmentForm, options, mistakes.tell)
  return mistakes.errors
}
