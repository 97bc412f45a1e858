// What a JSONata expression makes of each message.

import jsonata from 'jsonata'

export const checkConfig = ({ to }) => {
  try {
    jsonata(to)
  } catch (error) {
    return { to: `is no JSONata expression: ${error.message} (at character ${error.position})` }
  }
}

let expression

export const start = (context) => {
  expression = jsonata(context.config.to)
}

export default async (message, context) => {
  const made = await expression.evaluate(message, { headers: context.headers, config: context.config.with ?? {} })
  return made === undefined ? undefined : structuredClone(made) // JSONata's lists have marks of their own
}
