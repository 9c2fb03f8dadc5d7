"""Labels of classes that are clear to a person and no alias as a whole, by what they are."""

_CLEAR = """
aqueduct: ancient Roman aqueduct
archeological site: Iron Age hillfort
artwork: painting by Rembrandt; public artwork
ask: Art Nouveau building; drainage basin; supreme court; tourism office
boat: Gato-class submarine; Iowa-class battleship; Liberty ship; Type VII submarine
bridge: bridge over the Danube; double-deck bridge; road bridge-tunnel; Warren truss bridge
castle / fort: medieval castle; Renaissance castle
church: Anglican or episcopal cathedral; Byzantine church; chapel of ease; former Roman Catholic
  church building; Trappist abbey
city: city with powiat rights; neighborhood of Barcelona; quarter of Berlin; special ward of
  Japan; suburb of Melbourne
gate: lock gate
house: Gründerzeit villa
ignore: aspect of history; astronomical clock; church bell; cultural heritage monument in Germany;
  district of Austria; listed building in the United Kingdom; municipality of Germany; opera
  company; parish of the Catholic Church; recurring event; rural municipality of Estonia; state of
  Germany; tennis tournament; theatre company; township of China; urban municipality of Slovenia;
  Wikimedia list article
lake: volcanic crater lake
memorial: Soviet war memorial
monastery: former priory; Greek Orthodox monastery
mountain: mountain range in Asia
museum: museum of fine arts
ocean area : bay of the Mediterranean
parks: Category II National Park; country park in Hong Kong; IUCN category II National Park;
  natural monument in the Czech Republic; nature reserve in Germany; Provincial Park in British
  Columbia; regional nature park of France; UNESCO Global Geopark; wilderness study area
rail transportation: elevated railway; steam locomotive class; tram depot
restaurant: restaurant chain
road: Formula One circuit; Interstate Highway System
school: madrasa complex; monastic school; public university in the United States; Realschule;
  Volksschule
sculpture: statue of the Virgin Mary
settlement: human settlement in Germany
shinto shrine: Shinto shrine complex
stone: chambered cairn
tower: free-standing bell tower
village: barangay of the Philippines; commune déléguée; commune nouvelle; hamlet in Czechia;
  village of Japan
"""

CLEAR = {
    what: labels.split("; ")
    for what, _, labels in (
        line.partition(": ") for line in _CLEAR.strip().replace("\n  ", " ").splitlines()
    )
}
