// snippets - what to paste into each client. Base URLs: Anthropic's clients put /v1/messages behind it, OpenAI's clients
// want /v1 in it. All of them read the key from the environment, where `keySnippet` puts it once.
export const keySnippet = (o) => ({
  file: 'Terminal: your key, once for all that follows',
  text: `export DEROUTER_API_KEY='${o.hint}'   # ${o.keyName}: put the whole key in here`,
});

const curl = (url, auth, more, body) => `curl ${url} \\
  -H "${auth}" \\
${more}  -H 'content-type: application/json' \\
  -d '${body}'`;

// The same client in both languages: how it is made, and one call.
const sdk = (js, py) => [{ file: 'hello.mjs', text: js }, { file: 'hello.py', text: py }];
const HELLO_JS = "messages: [{ role: 'user', content: 'Hello' }]";
const HELLO_JSON = '"messages":[{"role":"user","content":"Hello"}]';

export const SNIPPETS = [
  {
    name: 'curl',
    blocks: (o) => [
      { file: 'Terminal: Messages', text: curl(`${o.base}/v1/messages`, 'x-api-key: $DEROUTER_API_KEY', "  -H 'anthropic-version: 2023-06-01' \\\n", `{"model":"${o.claude}","max_tokens":200,\n       ${HELLO_JSON}}`) },
      { file: 'Terminal: Chat Completions', text: curl(`${o.base}/v1/chat/completions`, 'Authorization: Bearer $DEROUTER_API_KEY', '', `{"model":"${o.gpt}",\n       ${HELLO_JSON}}`) },
    ],
    note: 'Both headers for the key work on every route. Put "stream": true into the body and add -N to see the answer as it is written.',
  },
  {
    name: 'Anthropic SDK',
    blocks: (o) => sdk(`import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic({ baseURL: '${o.base}', apiKey: process.env.DEROUTER_API_KEY });
const answer = await client.messages.create({
  model: '${o.claude}',
  max_tokens: 200,
  ${HELLO_JS},
});
console.log(answer.content);`, `import os
from anthropic import Anthropic

client = Anthropic(base_url="${o.base}", api_key=os.environ["DEROUTER_API_KEY"])
answer = client.messages.create(
    model="${o.claude}",
    max_tokens=200,
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.content)`),
  },
  {
    name: 'OpenAI SDK',
    blocks: (o) => sdk(`import OpenAI from 'openai';

const client = new OpenAI({ baseURL: '${o.base}/v1', apiKey: process.env.DEROUTER_API_KEY });
const answer = await client.responses.create({ model: '${o.gpt}', input: 'Hello' });
console.log(answer.output_text);`, `import os
from openai import OpenAI

client = OpenAI(base_url="${o.base}/v1", api_key=os.environ["DEROUTER_API_KEY"])
answer = client.responses.create(model="${o.gpt}", input="Hello")
print(answer.output_text)`),
  },
  {
    name: 'claude-code',
    blocks: (o) => [{
      file: 'Terminal',
      text: `export ANTHROPIC_BASE_URL=${o.base}
export ANTHROPIC_API_KEY="$DEROUTER_API_KEY"
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
    }, { file: 'Terminal', text: 'codex' }],
    note: 'codex reads the key from the terminal that it is started in.',
  },
];
