// Carries out ways to send a picture, and prints the name of each; one that is refused ends it.

export async function send(ways) {
  for (const [name, way] of Object.entries(ways)) {
    const [status, text] = await way();
    if (status !== 202) throw new Error(`${name}: ${status} ${text}`);
    console.log(name);
  }
}
