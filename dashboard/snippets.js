// snippets - what to paste into each client. Base URLs: Anthropic's clients put /v1/messages behind it, OpenAI's clients
// want /v1 in it.
const env = (o) => `export DEROUTER_API_KEY='${o.prefix}…'   # ${o.keyName}`;

export const SNIPPETS = [
  {
    name: 'curl',
    blocks: (o) => [{
      file: 'Terminal: Messages',
      text: `${env(o)}
curl ${o.base}/v1/messages \\
  -H "x-api-key: $DEROUTER_API_KEY" \\
  -H 'anthropic-version: 2023-06-01' \\
  -H 'content-type: application/json' \\
  -d '{"model":"${o.claude}","max_tokens":200,
       "messages":[{"role":"user","content":"Hello"}]}'`,
    }, {
      file: 'Terminal: Chat Completions',
      text: `curl ${o.base}/v1/chat/completions \\
  -H "Authorization: Bearer $DEROUTER_API_KEY" \\
  -H 'content-type: application/json' \\
  -d '{"model":"${o.gpt}",
       "messages":[{"role":"user","content":"Hello"}]}'`,
    }],
    note: 'Both headers for the key work on every route. Put "stream": true into the body and add -N to see the answer as it is written.',
  },
  {
    name: 'Anthropic SDK',
    blocks: (o) => [{
      file: 'hello.mjs',
      text: `import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic({
  baseURL: '${o.base}',
  apiKey: process.env.DEROUTER_API_KEY, // ${o.keyName}
});
const answer = await client.messages.create({
  model: '${o.claude}',
  max_tokens: 200,
  messages: [{ role: 'user', content: 'Hello' }],
});
console.log(answer.content);`,
    }, {
      file: 'hello.py',
      text: `import os
from anthropic import Anthropic

client = Anthropic(
    base_url="${o.base}",
    api_key=os.environ["DEROUTER_API_KEY"],  # ${o.keyName}
)
answer = client.messages.create(
    model="${o.claude}",
    max_tokens=200,
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.content)`,
    }],
  },
  {
    name: 'OpenAI SDK',
    blocks: (o) => [{
      file: 'hello.mjs',
      text: `import OpenAI from 'openai';

const client = new OpenAI({
  baseURL: '${o.base}/v1',
  apiKey: process.env.DEROUTER_API_KEY, // ${o.keyName}
});
const answer = await client.responses.create({
  model: '${o.gpt}',
  input: 'Hello',
});
console.log(answer.output_text);`,
    }, {
      file: 'hello.py',
      text: `import os
from openai import OpenAI

client = OpenAI(
    base_url="${o.base}/v1",
    api_key=os.environ["DEROUTER_API_KEY"],  # ${o.keyName}
)
answer = client.responses.create(model="${o.gpt}", input="Hello")
print(answer.output_text)`,
    }],
  },
  {
    name: 'claude-code',
    blocks: (o) => [{
      file: 'Terminal',
      text: `export ANTHROPIC_BASE_URL=${o.base}
export ANTHROPIC_API_KEY='${o.prefix}…'   # ${o.keyName}
claude --model ${o.claude}`,
    }],
    note: 'ANTHROPIC_AUTH_TOKEN works in the place of ANTHROPIC_API_KEY. Name a model: the client’s own default may be one that is not offered here.',
  },
  {
    name: 'codex',
    blocks: (o) => [{
      file: '~/.codex/config.toml',
      text: `model = "${o.gpt}"
model_provider = "derouter"

[model_providers.derouter]
name = "DeRouter"
base_url = "${o.base}/v1"
env_key = "DEROUTER_API_KEY"
wire_api = "responses"`,
    }, {
      file: 'Terminal',
      text: `${env(o)}
codex`,
    }],
  },
];
