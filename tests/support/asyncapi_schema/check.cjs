// node check.cjs <document>: prints what AsyncAPI's own JSON schema has against it, and fails where that is anything.
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");

const packages = createRequire(`${process.cwd()}/`);
const Ajv = packages("ajv");
const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const ajv = new Ajv({ allErrors: true, strict: false, meta: false, validateSchema: false });
packages("ajv-formats")(ajv);
const accepts = ajv.compile(packages(`@asyncapi/specs/schemas/${document.asyncapi}.json`));
if (!accepts(document)) {
  console.log(JSON.stringify(accepts.errors.slice(0, 20), null, 1));
  process.exit(1);
}
