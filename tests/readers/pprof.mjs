// Reads a profile with an implementation of pprof's format that is not ours, and says what is in it as JSON.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";

const profile = Profile.decode(gunzipSync(readFileSync(process.argv[2])));
const text = (at) => profile.stringTable.strings[Number(at)];
const by = (list) => new Map(list.map((one) => [Number(one.id), one]));
const [functions, locations, mappings] =
  [profile.function, profile.location, profile.mapping].map(by);
const frames = (location) =>
  location.line.map((line) => {
    const of = functions.get(Number(line.functionId));
    return { function: text(of.name), file: text(of.filename), line: Number(line.line) };
  });
console.log(JSON.stringify({
  types: profile.sampleType.map((type) => [text(type.type), text(type.unit)]),
  default: text(profile.defaultSampleType),
  mappings: profile.mapping.map((one) => [text(one.filename), text(one.buildId)]),
  samples: profile.sample.map((sample) => ({
    values: sample.value.map(Number),
    labels: Object.fromEntries(
      sample.label.map((label) => [text(label.key), text(label.str) || Number(label.num)])),
    modules: sample.locationId.map((id) => {
      const mapping = mappings.get(Number(locations.get(Number(id)).mappingId));
      return mapping ? text(mapping.filename) : null;
    }),
    frames: sample.locationId.flatMap((id) => frames(locations.get(Number(id)))),
  })),
}));
